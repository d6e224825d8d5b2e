import type { Session, ViewRequest } from '@llmgine/client';
import { Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { useSessionStorage } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { JsonView } from '../../components/json-view.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { SchemaForm } from '../../components/schema-form.tsx';
import { fieldErrors } from '../../lib/errors.ts';
import { type Draft, fieldsOf, readDraft } from '../../lib/json-schema.ts';
import type { AnswerOutcome, JsonObject } from '../../lib/protocol.ts';

export interface RequestFormProps {
  readonly session: Session;
  readonly request: ViewRequest;
}

/** Where there is no schema with fields, people write JSON. */
const ANYTHING = { properties: { value: { title: 'Value', description: 'As JSON' } }, required: ['value'] };

/** One question. What was typed outlives the dialog, and a reload of the page. */
export function RequestForm({ session, request }: RequestFormProps) {
  const { request_id: id, kind, schema } = request;
  const [draft, setDraft] = useSessionStorage<Draft>({ key: `answer:${id}`, defaultValue: {} });
  const [reason, setReason] = useSessionStorage({ key: `reason:${id}`, defaultValue: '' });
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const hasFields = schema !== null && typeof schema.properties === 'object' && schema.properties !== null;
  const fields = useMemo(() => fieldsOf(hasFields && schema ? schema : ANYTHING), [hasFields, schema]);
  const answer = useMutation({
    mutationFn: ({ outcome, value }: { outcome: AnswerOutcome; value?: JsonObject[string] }) =>
      session.answer(id, {
        outcome,
        ...(value === undefined ? {} : { value }),
        ...(reason.trim() === '' ? {} : { reason: reason.trim() }),
      }),
  });
  const submit = () => {
    if (kind === 'approval') {
      answer.mutate({ outcome: 'approved' });
      return;
    }
    const { value, errors } = readDraft(fields, draft);
    setTyped(errors);
    if (Object.keys(errors).length > 0) return;
    answer.mutate({ outcome: 'submitted', value: (hasFields ? value : value.value) as JsonObject });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack gap="md">
        <Text>{request.prompt}</Text>
        {kind === 'form' || request.tool_name === undefined ? null : (
          <div>
            <Text size="sm" className="muted" mb={4}>
              Tool <span className="mono">{request.tool_name}</span>, with exactly these arguments:
            </Text>
            <JsonView value={request.arguments ?? null} label="Arguments" />
          </div>
        )}
        {kind === 'approval' ? null : (
          <SchemaForm
            fields={fields}
            draft={draft}
            errors={{ ...fieldErrors(answer.error, 'value'), ...typed }}
            onChange={setDraft}
          />
        )}
        {kind === 'form' ? null : (
          <Textarea
            label="Reason"
            description="If you like: the model is told."
            autosize
            minRows={1}
            maxRows={6}
            maxLength={10_000}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
        )}
        {answer.error ? <ErrorPanel error={answer.error} title="The answer was not taken" /> : null}
        <Group justify="space-between">
          <Text size="xs" className="muted">
            Expires <RelativeTime at={request.expires_at} />
          </Text>
          <Group gap="sm">
            <Button
              variant="default"
              disabled={answer.isPending}
              onClick={() => answer.mutate({ outcome: kind === 'client_tool' ? 'error' : 'denied' })}
            >
              {kind === 'client_tool' ? 'It failed' : 'Deny'}
            </Button>
            <Button type="submit" loading={answer.isPending}>
              {kind === 'approval' ? 'Approve' : 'Submit'}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
