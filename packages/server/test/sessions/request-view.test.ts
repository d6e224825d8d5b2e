import { requestSchema } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { toRequest } from '../../src/sessions/request-view.ts';
import type { RequestRow } from '../../src/storage/types.ts';

const AT = 1_000_000_000_000;
const RUN = '7d444840-9dc0-41d1-b245-5ffdce74fad2';

function row(values: Partial<RequestRow> = {}): RequestRow {
  return {
    tenantId: 'tenant',
    ownerId: 'owner',
    sessionId: 'session',
    requestId: 'req_1',
    runId: RUN,
    requestKey: 'call_1',
    kind: 'approval',
    prompt: 'May I?',
    schema: null,
    arguments: { to: 'me' },
    toolName: 'send_mail',
    toolCallId: 'call_1',
    seq: 7,
    createdAt: AT,
    expiresAt: AT + 1000,
    claimedBy: null,
    claimedUntil: null,
    resolution: null,
    ...values,
  };
}

test('a pending request is shown with what it asks, and with nothing of how it is kept', () => {
  const view = toRequest(row());
  expect(view).toEqual({
    request_id: 'req_1',
    kind: 'approval',
    prompt: 'May I?',
    schema: null,
    arguments: { to: 'me' },
    tool_name: 'send_mail',
    tool_call_id: 'call_1',
    expires_at: new Date(AT + 1000).toISOString(),
    run_id: RUN,
    status: 'pending',
    created_at: new Date(AT).toISOString(),
    claimed_until: null,
    outcome: null,
    by: null,
    resolved_at: null,
  });
  expect(requestSchema.parse(view)).toEqual(view);
});

test('what a request does not have is left out; arguments that are null are there', () => {
  const form = toRequest(row({ kind: 'form', arguments: undefined, toolName: null, toolCallId: null }));
  for (const key of ['arguments', 'tool_name', 'tool_call_id']) expect(form).not.toHaveProperty(key);
  expect(toRequest(row({ arguments: null }))).toHaveProperty('arguments', null);
});

test('a claim shows as long as it holds', () => {
  const until = Date.now() + 60_000;
  const claimed = { kind: 'client_tool', claimedBy: 'conn_1', claimedUntil: until } as const;
  // However it is called: a list is made of many.
  expect([row(claimed)].map(toRequest)[0]?.claimed_until).toBe(new Date(until).toISOString());
  expect([row({ ...claimed, claimedUntil: Date.now() - 1 })].map(toRequest)[0]?.claimed_until).toBeNull();
});

test('a resolved request says who answered, how and when, and holds no claim', () => {
  const resolution = { outcome: 'submitted', by: 'operator', value: 'a', reason: null, at: AT + 5 } as const;
  const view = toRequest(row({ resolution, claimedUntil: Date.now() + 60_000 }));
  expect(view).toMatchObject({
    status: 'resolved',
    outcome: 'submitted',
    by: 'operator',
    resolved_at: new Date(AT + 5).toISOString(),
    claimed_until: null,
  });
});
