/** Runs in the browser: components that show sessions, as the test asks for them. */
import { LlmgineClient } from '@llmgine/client';
import { useSession } from '@llmgine/client/react';
import { createElement, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

interface Page {
  readonly document: { getElementById(id: string): never };
  readonly location: { readonly search: string };
  /** Shows these sessions side by side; none takes all away. */
  show: (ids: readonly string[]) => void;
}
const page = globalThis as unknown as Page;
const client = new LlmgineClient({ url: new URLSearchParams(page.location.search).get('server') ?? '' });

function Conversation({ id }: { readonly id: string }) {
  const { status, connection, messages, requests, prompt, answer, runs } = useSession(client, id);
  const lines = messages.map(({ message_id, role, parts, streaming, run_id }) =>
    createElement(
      'li',
      { key: message_id, 'data-streaming': streaming, 'data-run': run_id },
      `${role}: ${parts.map((part) => (part.type === 'text' ? part.text : part.type)).join('|')}`,
    ),
  );
  const questions = requests.map(({ request_id, prompt: question }) =>
    createElement(
      'button',
      { key: request_id, type: 'button', onClick: () => void answer(request_id, { outcome: 'approved' }) },
      `approve: ${question}`,
    ),
  );
  const say = () => void prompt('What is 6 * 7?').result.catch(() => {});
  return createElement(
    'section',
    { 'data-session': id, 'data-status': status, 'data-connection': connection },
    createElement('ol', null, lines),
    createElement('p', null, runs.map((run) => run.status).join(' ')),
    questions,
    createElement('button', { type: 'button', onClick: say }, 'say'),
  );
}

const root = createRoot(page.document.getElementById('root'));
page.show = (ids) =>
  root.render(
    createElement(
      StrictMode,
      null,
      // By their place: another session in the same component is what is to be seen.
      ids.map((id, place) => createElement(Conversation, { key: place, id })),
    ),
  );
