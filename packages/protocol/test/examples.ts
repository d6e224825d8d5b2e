/** What the protocol documents, as it looks on the wire. */
import type { ClientFrameType, CoreEventType, ServerFrameType } from '@llmgine/protocol';

const CURSOR = 'k3v9x0a1b2c4:17';
const RUN = '7d444840-9dc0-41d1-b245-5ffdce74fad2';
const SESSION = '550e8400-e29b-41d4-a716-446655440000';
const AT = '2024-01-01T12:00:00.000Z';

const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };
const text = { type: 'text', text: 'Hello' };
const message = {
  message_id: 'msg_1',
  role: 'assistant',
  run_id: RUN,
  parts: [
    text,
    { type: 'reasoning', text: 'Hm' },
    { type: 'tool_call', tool_call_id: 'call_1', tool_name: 'calculate', arguments: { expression: '1+1' } },
    { type: 'tool_result', tool_call_id: 'call_1', tool_name: 'calculate', result: 2, is_error: false },
    { type: 'file', mime_type: 'image/png', name: 'a.png', data: 'AAAA' },
  ],
  created_at: AT,
  metadata: { model: 'demo:fast' },
};
const result = { run_id: RUN, status: 'completed', result: { text: 'Hello' }, usage, error: null };
/** An approval and what becomes of it. */
const asked = {
  request_id: 'req_1',
  kind: 'approval',
  prompt: 'May I send it?',
  schema: null,
  arguments: { to: 'me@example.com' },
  tool_name: 'send_mail',
  tool_call_id: 'call_1',
  expires_at: AT,
};
/** A form, which no tool call waits for. */
const form = {
  request_id: 'req_2',
  kind: 'form',
  prompt: 'Which of the two?',
  schema: { type: 'string', enum: ['a', 'b'] },
  expires_at: AT,
};
const request = {
  ...asked,
  run_id: RUN,
  status: 'pending',
  created_at: AT,
  claimed_until: null,
  outcome: null,
  by: null,
  resolved_at: null,
};
const engine = { engine_id: 'engine_123', engine_type: 'ToolChatEngine', status: 'running' };

export const CLIENT_EXAMPLES: Record<ClientFrameType, readonly object[]> = {
  ping: [{ timestamp: AT }, {}],
  get_engine_types: [{}],
  link_engine: [
    { engine_type: 'ToolChatEngine' },
    { engine_type: 'ToolChatEngine', engine_config: { temperature: 0 } },
  ],
  status: [{}],
  hello: [{}, { protocol_version: '1' }],
  authenticate: [{ token: 'a-key' }],
  unlink_engine: [{}],
  command: [
    { command: 'prompt', parameters: { prompt: 'Hello' }, on_conflict: 'queue', stream: true },
    { command: 'prompt', parameters: {}, run_id: RUN, on_conflict: 'interrupt', stream: false },
  ],
  cancel: [{}, { run_id: RUN }],
  subscribe: [{}, { after: CURSOR, event_types: ['text_delta', 'custom:note'] }],
  unsubscribe: [{}],
  event: [{ event_type: 'custom:note', payload: { text: 'x' }, event_id: 'mine' }],
  history: [{ limit: 20 }, { limit: 20, before: 'bTox' }],
  claim_request: [{ request_id: 'req_1' }],
  server_response: [
    { request_id: 'req_1', outcome: 'approved' },
    { request_id: 'req_1', outcome: 'denied', reason: 'Not to them' },
    { request_id: 'req_2', outcome: 'submitted', value: 'a' },
    { request_id: 'req_2', outcome: 'error', reason: 'No camera' },
  ],
  audio_begin: [{ mime_type: 'audio/webm;codecs=opus' }, { mime_type: 'audio/wav', sample_rate: 16_000 }],
  audio_end: [
    { parameters: {}, on_conflict: 'queue', stream: true },
    {
      command: 'transcribe',
      parameters: { language: 'en' },
      run_id: RUN,
      on_conflict: 'reject',
      stream: false,
    },
  ],
};

export const SERVER_EXAMPLES: Record<ServerFrameType, readonly object[]> = {
  pong: [{ timestamp: AT, server_timestamp: AT }, { server_timestamp: AT }],
  engine_types: [{ engine_types: ['SinglePassEngine', 'ToolChatEngine', 'VoiceProcessingEngine'] }],
  engine_linked: [engine],
  status_response: [
    { session_status: 'running', engine_status: 'running', engine_id: 'engine_123' },
    { session_status: 'idle', engine_status: null, engine_id: null },
  ],
  error: [
    { code: 'INVALID_JSON', message: 'Message is not valid JSON' },
    {
      code: 'VALIDATION_ERROR',
      message: 'wrong',
      errors: [{ path: 'data.x', message: 'missing' }],
      retry_after: 1,
      details: 'Error: x',
    },
  ],
  welcome: [
    {
      protocol_version: '1',
      server_version: '0.1.0',
      session_id: SESSION,
      capabilities: ['streaming'],
      limits: {
        max_message_size: 1_048_576,
        max_body_size: 1_048_576,
        max_audio_size: 26_214_400,
        max_audio_duration: 14_400,
        max_unsent_bytes: 1_048_576,
        messages_per_second: 50,
        message_burst: 100,
        heartbeat_interval: 30,
        session_timeout: 3600,
        run_timeout: 600,
      },
      message_types: ['ping'],
    },
  ],
  authenticated: [
    { subject: 'operator', role: 'admin', expires_at: null },
    { subject: 'ann', role: 'user', expires_at: AT },
  ],
  engine_unlinked: [{ engine_id: 'engine_123' }],
  command_accepted: [{ run_id: RUN, cursor: CURSOR, position: 0 }],
  command_result: [
    result,
    { ...result, status: 'failed', result: null, usage: null, error: { code: 'MODEL_ERROR', message: 'no' } },
    { ...result, status: 'cancelled', result: null },
  ],
  cancelled: [{ run_id: RUN }],
  subscribed: [{ cursor: CURSOR, resync_required: false }],
  unsubscribed: [{}],
  event_published: [{ cursor: CURSOR }],
  history_response: [
    {
      messages: [message],
      next: null,
      cursor: CURSOR,
      runs: [
        {
          run_id: RUN,
          session_id: SESSION,
          engine_id: 'engine_123',
          engine_type: 'ToolChatEngine',
          command: 'prompt',
          status: 'running',
          result: null,
          usage: null,
          error: null,
          cursor: CURSOR,
          created_at: AT,
          started_at: AT,
          finished_at: null,
        },
      ],
      partial_message: { ...message, parts: [text], metadata: { incomplete: true } },
      pending_requests: [request, { ...request, ...form, claimed_until: AT }],
    },
  ],
  request_claimed: [{ request_id: 'req_1', expires_at: AT }],
  server_response_accepted: [{ request_id: 'req_1', outcome: 'approved' }],
  audio_accepted: [
    { file_id: 'file_1', mime_type: 'audio/wav', size: 32_044, duration: 1 },
    { file_id: 'file_1', mime_type: 'audio/webm', size: 4000, duration: null },
  ],
  event: [
    {
      cursor: CURSOR,
      seq: 17,
      event_type: 'text_delta',
      run_id: RUN,
      payload: { message_id: 'msg_1', text: 'Hel' },
      created_at: AT,
    },
    { cursor: CURSOR, seq: 17, event_type: 'custom:note', payload: {}, created_at: AT },
  ],
  notification: [{ notification_type: 'maintenance', message: 'Soon', at: AT }],
  going_away: [
    { reason: 'the server is stopping', cursor: CURSOR, reconnect_after_ms: 250 },
    { reason: 'the server is stopping', cursor: null, reconnect_after_ms: 0 },
  ],
};

export const EVENT_EXAMPLES: Record<CoreEventType, readonly object[]> = {
  run_queued: [{ command: 'prompt' }],
  run_started: [{ engine_id: 'engine_123', engine_type: 'ToolChatEngine' }],
  run_finished: [{ status: 'completed', result: { text: 'Hello' }, usage, error: null }],
  step_started: [{ step: 1, model: 'demo:fast' }],
  step_finished: [
    { step: 1, usage, finish_reason: 'stop' },
    { step: 2, usage: null, finish_reason: 'other' },
  ],
  message_started: [{ message_id: 'msg_1', role: 'assistant' }],
  text_delta: [{ message_id: 'msg_1', text: 'Hel' }],
  reasoning_delta: [{ message_id: 'msg_1', text: 'Hm' }],
  message_completed: [message, { ...message, replaces: { from_seq: 3, to_seq: 9 } }],
  message_discarded: [{ message_id: 'msg_1' }],
  tool_call: [{ tool_call_id: 'call_1', tool_name: 'calculate', arguments: { expression: '1+1' } }],
  tool_result: [{ tool_call_id: 'call_1', result: 2, is_error: false, duration_ms: 3.5 }],
  input_requested: [asked, form, { ...form, kind: 'client_tool', tool_name: 'take_photo' }],
  input_resolved: [
    { request_id: 'req_1', by: 'operator', outcome: 'approved' },
    { request_id: 'req_1', by: 'system', outcome: 'expired' },
  ],
  engine_linked: [engine],
  engine_unlinked: [{ engine_id: 'engine_123' }],
  status: [{ text: 'Looking it up' }],
};
