import type { ViewMessage } from '@llmgine/client';
import { ActionIcon, Tooltip } from '@mantine/core';
import { IconGitFork } from '@tabler/icons-react';
import { memo } from 'react';
import { CopyIcon } from '../../components/copy.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import type { MessagePart } from '../../lib/protocol.ts';
import { FilePart } from './file-part.tsx';
import { Markdown } from './markdown.tsx';
import classes from './message-item.module.css';
import { Reasoning } from './reasoning.tsx';
import { ToolCallCard } from './tool-call-card.tsx';

const WHO: Readonly<Record<ViewMessage['role'], string>> = {
  user: 'You',
  assistant: 'Assistant',
  system: 'System',
  tool: 'Tool',
};

export interface MessageItemProps {
  readonly message: ViewMessage;
  /** Makes a session of the conversation up to here; absent where it cannot be cut. */
  readonly onFork?: ((messageId: string) => void) | undefined;
}

export const MessageItem = memo(function MessageItem({ message, onFork }: MessageItemProps) {
  const { role, parts, streaming } = message;
  const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n\n');
  return (
    <article
      className={classes.message}
      data-role={role}
      data-more={role !== 'user' && !onFork}
      aria-label={`${WHO[role]} said`}
    >
      <div className={classes.content} data-streaming={streaming}>
        {parts.map((part, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have no ids, and only ever grow at the end.
          <Part key={index} part={part} message={message} isLast={index === parts.length - 1} />
        ))}
        {streaming && parts.length === 0 ? <span className={classes.dots} aria-hidden /> : null}
      </div>
      {streaming || (role !== 'user' && !onFork) ? null : (
        <footer className={classes.footer}>
          <RelativeTime at={message.created_at} />
          {text === '' ? null : <CopyIcon text={text} label="Copy the message" />}
          {onFork ? (
            <Tooltip label="Fork from here">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                aria-label="Fork the session from here"
                onClick={() => onFork(message.message_id)}
              >
                <IconGitFork size={14} />
              </ActionIcon>
            </Tooltip>
          ) : null}
        </footer>
      )}
    </article>
  );
});

interface PartProps {
  readonly part: MessagePart;
  readonly message: ViewMessage;
  readonly isLast: boolean;
}

function Part({ part, message, isLast }: PartProps) {
  switch (part.type) {
    case 'text':
      // People wrote what they meant; only answers are Markdown.
      return message.role === 'user' ? (
        <p className={classes.plain}>{part.text}</p>
      ) : (
        <Markdown text={part.text} />
      );
    case 'reasoning':
      return <Reasoning text={part.text} isStreaming={message.streaming && isLast} />;
    case 'tool_call': {
      const call = message.tool_calls.find(({ tool_call_id: id }) => id === part.tool_call_id);
      return call ? <ToolCallCard call={call} /> : null;
    }
    case 'file':
      return <FilePart file={part} />;
    case 'tool_result':
      return null;
  }
}
