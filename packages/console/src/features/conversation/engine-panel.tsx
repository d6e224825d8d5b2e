import { Alert, Button, Drawer, Group, Select, Skeleton, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { SchemaForm } from '../../components/schema-form.tsx';
import { useMay } from '../../lib/auth.ts';
import { client } from '../../lib/client.ts';
import { defaultEngine, useEngines } from '../../lib/engines.ts';
import { errorText, fieldErrors } from '../../lib/errors.ts';
import { type Draft, draftOf, fieldsOf, readDraft } from '../../lib/json-schema.ts';
import { notifyDone, notifyError } from '../../lib/notify.ts';
import { queries } from '../../lib/query.ts';
import { engineKey, useLinkedEngine } from './use-linked-engine.ts';

export interface EnginePanelProps {
  readonly sessionId: string;
  readonly opened: boolean;
  readonly onClose: () => void;
}

/** Which engine answers in a session, and how it is set. */
export function EnginePanel({ opened, onClose, sessionId }: EnginePanelProps) {
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size="md" title="Engine">
      <Loaded sessionId={sessionId} onDone={onClose} />
    </Drawer>
  );
}

function Loaded({ sessionId, onDone }: { readonly sessionId: string; readonly onDone: () => void }) {
  const { engines, isLoading } = useEngines();
  const linked = useLinkedEngine(sessionId);
  if (isLoading || linked.isLoading) return <Skeleton height={240} />;
  const engine = linked.data ?? null;
  const type = engine?.engine_type ?? defaultEngine(engines);
  return (
    <EngineForm
      sessionId={sessionId}
      linkedType={engine?.engine_type ?? null}
      firstType={type}
      config={engine?.engine_config ?? {}}
      onDone={onDone}
    />
  );
}

interface EngineFormProps {
  readonly sessionId: string;
  readonly linkedType: string | null;
  readonly firstType: string | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly onDone: () => void;
}

function EngineForm({ sessionId, linkedType, firstType, config, onDone }: EngineFormProps) {
  const { engines } = useEngines();
  const [type, setType] = useState(firstType);
  const engine = engines.find(({ engine_type: name }) => name === type);
  const fields = useMemo(() => (engine ? fieldsOf(engine.config) : []), [engine]);
  const [draft, setDraft] = useState<Draft>(() => draftOf(fields, config));
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const mayWrite = useMay('sessions:write');
  const done = (message: string) => {
    notifyDone(message);
    void queries.invalidateQueries({ queryKey: engineKey(sessionId) });
    onDone();
  };
  const link = useMutation({
    mutationFn: (value: Readonly<Record<string, unknown>>) =>
      client.sessions.link(sessionId, type ?? '', value),
    onSuccess: () => done(`${type} is linked`),
  });
  const unlink = useMutation({
    mutationFn: () => client.sessions.unlink(sessionId),
    onSuccess: () => done('The engine is unlinked'),
    onError: (error) => notifyError(error, 'The engine was not unlinked'),
  });
  const atFields = fieldErrors(link.error, 'engine_config');
  const form = useRef<HTMLFormElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there are other errors.
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [link.error, typed]);
  const isAtField = fields.some(({ name }) =>
    Object.keys(atFields).some((path) => path.split('.')[0] === name),
  );
  return (
    <form
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        const { value, errors } = readDraft(fields, draft);
        setTyped(errors);
        if (Object.keys(errors).length === 0) link.mutate(value);
      }}
    >
      <Stack gap="md">
        <Select
          label="Engine type"
          data={engines.map(({ engine_type: name }) => name)}
          value={type}
          allowDeselect={false}
          error={atFields.engine_type}
          onChange={(chosen) => {
            setType(chosen);
            link.reset();
          }}
        />
        {engine ? (
          <Text size="sm" className="muted">
            {engine.description}
          </Text>
        ) : null}
        <SchemaForm fields={fields} draft={draft} errors={{ ...atFields, ...typed }} onChange={setDraft} />
        {link.error && !isAtField ? (
          <Alert color="red" role="alert" title="The engine was not linked">
            {errorText(link.error)}
          </Alert>
        ) : null}
        {mayWrite ? (
          <Group justify="space-between">
            {linkedType === null ? (
              <span />
            ) : (
              <Button variant="subtle" color="red" loading={unlink.isPending} onClick={() => unlink.mutate()}>
                Unlink
              </Button>
            )}
            <Button type="submit" loading={link.isPending} disabled={type === null}>
              {linkedType === type ? 'Link again with this' : 'Link engine'}
            </Button>
          </Group>
        ) : null}
      </Stack>
    </form>
  );
}
