import { LlmgineClient, SessionView } from '/client/llmgine.js';

const client = new LlmgineClient();
const [connection, messages, form, text] = ['connection', 'messages', 'form', 'text'].map((id) =>
  document.getElementById(id),
);

// The address names the session, so that a reload goes on with it.
if (location.hash === '') {
  const created = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  location.hash = created.session_id;
}
const session = client.session(location.hash.slice(1));
const view = new SessionView(session);

view.subscribe(() => {
  const snapshot = view.snapshot();
  connection.textContent = snapshot.connection;
  messages.replaceChildren(
    ...snapshot.messages.map(({ role, parts }) => {
      const line = document.createElement('li');
      // As text and never as HTML: a model says what it wants.
      line.textContent = `${role}: ${parts.map((part) => part.text ?? part.tool_name ?? '').join(' ')}`;
      return line;
    }),
  );
});

form.addEventListener('submit', (event) => {
  event.preventDefault();
  session.prompt(text.value);
  text.value = '';
});
