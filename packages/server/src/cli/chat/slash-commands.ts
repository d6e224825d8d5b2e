/** What somebody in a conversation can ask of the program itself. */
import { ConfigError } from '../../config.ts';
import { plainLine } from '../plain-text.ts';
import type { TerminalChat } from './in-terminal.ts';
import { newConversation, readConfig } from './open-conversation.ts';

interface SlashCommand {
  readonly usage: string;
  readonly help: string;
  /** Resolves to `LEAVE` when the conversation is over. */
  run(chat: TerminalChat, rest: string): Promise<unknown>;
}

const LEAVE = Symbol('leave');
const MAX_HISTORY = 100;
const LISTED = 10;

const COMMANDS: Readonly<Record<string, SlashCommand>> = {
  help: {
    usage: '/help',
    help: 'this list',
    run: async (chat) => {
      for (const { usage, help } of Object.values(COMMANDS)) chat.print(`  ${usage.padEnd(24)} ${help}`);
      chat.print('  //…                      a prompt that begins with a slash');
      chat.print('  …\\                       goes on in the next line');
    },
  },
  history: {
    usage: '/history [COUNT]',
    help: 'the last messages',
    run: (chat, rest) =>
      chat.showHistory(Math.min(MAX_HISTORY, Math.max(1, Number.parseInt(rest, 10) || 20))),
  },
  cancel: {
    usage: '/cancel',
    help: 'cancels the run of this session, whoever started it',
    run: async (chat) => {
      await chat.session.cancel();
      chat.print(chat.style('dim', 'cancelled'));
    },
  },
  engine: {
    usage: '/engine [TYPE [JSON]]',
    help: 'lists the engines, or links another one',
    run: async (chat, rest) => {
      const [type = '', json = ''] = splitFirst(rest);
      if (type === '') return listEngines(chat);
      await chat.session.link(type, json === '' ? {} : readConfig(json));
      chat.relinked(type);
      chat.print(chat.style('dim', `${plainLine(type, 100)} is linked`));
    },
  },
  new: {
    usage: '/new [ENGINE]',
    help: 'a new session',
    run: async (chat, rest) => {
      const engine = rest === '' ? chat.conversation.engineType : rest;
      await chat.enter(
        await newConversation(chat.talk.client, { engine, model: undefined, config: undefined }),
      );
    },
  },
  sessions: {
    usage: '/sessions',
    help: 'the newest sessions; chat --session ID goes on with one',
    run: async (chat) => {
      const { sessions } = await chat.talk.client.sessions.list({ limit: LISTED });
      for (const { session_id: id, status, last_interaction_at: at, name = '' } of sessions) {
        const mark = id === chat.conversation.sessionId ? '*' : ' ';
        chat.print(`${mark} ${id} ${status.padEnd(8)} ${at} ${plainLine(name, 60)}`);
      }
    },
  },
  fork: {
    usage: '/fork [MESSAGE]',
    help: 'goes on in a copy of this session, up to a message',
    run: async (chat, rest) => {
      const { sessionId } = chat.conversation;
      const forked = await chat.talk.client.sessions.fork(sessionId, rest === '' ? {} : { at: rest });
      await chat.enter({ ...chat.conversation, sessionId: forked.session_id, resumed: true });
    },
  },
  exit: { usage: '/exit', help: 'leaves; what runs goes on', run: async () => LEAVE },
};

/** True when the conversation is over. Throws `ConfigError` for one that there is not. */
export async function runSlashCommand(chat: TerminalChat, text: string): Promise<boolean> {
  const [name = '', rest = ''] = splitFirst(text.slice(1));
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new ConfigError(`there is no command /${plainLine(name, 50)}; /help lists them`);
  return (await command.run(chat, rest)) === LEAVE;
}

async function listEngines(chat: TerminalChat): Promise<void> {
  const { engines } = await chat.talk.client.engines();
  for (const { engine_type: type, description } of engines) {
    const mark = type === chat.conversation.engineType ? '*' : ' ';
    chat.print(`${mark} ${plainLine(type, 50).padEnd(24)} ${plainLine(description, 100)}`);
  }
}

function splitFirst(text: string): readonly string[] {
  const [, first, rest] = /^(\S*)\s*(.*)$/s.exec(text) ?? [];
  return [first ?? '', (rest ?? '').trim()];
}
