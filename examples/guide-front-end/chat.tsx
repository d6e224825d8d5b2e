import { LlmgineClient } from '@llmgine/client';
import { useSession } from '@llmgine/client/react';
import { type FormEvent, useState } from 'react';

const client = new LlmgineClient();

export function Chat({ sessionId }: { readonly sessionId: string }) {
  const { messages, requests, connection, prompt, answer } = useSession(client, sessionId);
  const [text, setText] = useState('');
  const send = (event: FormEvent) => {
    event.preventDefault();
    prompt(text);
    setText('');
  };
  return (
    <main>
      {connection !== 'open' && <p role="status">{connection}…</p>}
      {messages.map(({ message_id, role, parts }) => (
        <p key={message_id} className={role}>
          {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      {requests.map(({ request_id, kind, prompt: question }) => (
        <p key={request_id}>
          {question}
          {kind === 'approval' && (
            <button type="button" onClick={() => void answer(request_id, { outcome: 'approved' })}>
              Yes
            </button>
          )}
        </p>
      ))}
      <form onSubmit={send}>
        <input aria-label="Prompt" value={text} onChange={(event) => setText(event.target.value)} />
        <button type="submit">Send</button>
      </form>
    </main>
  );
}
