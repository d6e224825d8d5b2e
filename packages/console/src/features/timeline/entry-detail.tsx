import { Group, Stack, Title } from '@mantine/core';
import { CopyButton } from '../../components/copy.tsx';
import { JsonView } from '../../components/json-view.tsx';
import { useAuth } from '../../lib/auth.ts';
import type { JsonObject } from '../../lib/protocol.ts';
import { eventAsCode, eventAsCurl, frameAsCode, frameAsCurl, type Place } from './as-code.ts';
import { contentOf, type Entry } from './entry.ts';

export interface EntryDetailProps {
  readonly sessionId: string;
  readonly entry: Entry;
  /** False where what is around it has one. */
  readonly hasTitle: boolean;
}

export function EntryDetail({ sessionId, entry, hasTitle }: EntryDetailProps) {
  const { credential } = useAuth();
  const place: Place = { origin: window.location.origin, sessionId, needsKey: credential !== 'none' };
  const content = contentOf(entry);
  const { curl, code } = snippets(place, entry, content);
  return (
    <Stack gap="sm">
      {hasTitle ? <Title order={2}>{entry.type}</Title> : null}
      <Group gap="xs">
        {curl === null ? null : <CopyButton text={curl} label="Copy as curl" />}
        {code === null ? null : <CopyButton text={code} label="Copy as client code" />}
      </Group>
      <JsonView value={content} label="Raw JSON" />
    </Stack>
  );
}

function snippets(
  place: Place,
  { event, frame }: Entry,
  content: unknown,
): { readonly curl: string | null; readonly code: string | null } {
  if (event) return { curl: eventAsCurl(place, event), code: eventAsCode(place, event) };
  // What came in was the server's doing.
  if (frame?.direction !== 'out' || frame.text === null) return { curl: null, code: null };
  const sent = content as { readonly type?: unknown; readonly data?: JsonObject };
  return { curl: frameAsCurl(place, sent), code: frameAsCode(place, sent) };
}
