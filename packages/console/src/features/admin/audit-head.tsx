import { Alert, Button, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { CopyIcon } from '../../components/copy.tsx';
import { client } from '../../lib/client.ts';
import { errorText } from '../../lib/errors.ts';
import { count } from '../../lib/format.ts';
import classes from './admin.module.css';

interface Head {
  readonly number: number;
  readonly hash: string;
}

/** The newest entry. Whoever kept an earlier one elsewhere can tell that the log was not cut or written anew since. */
export function AuditHead() {
  const [kept, setKept] = useState('');
  const head = useQuery({
    queryKey: ['audit-head'],
    queryFn: ({ signal }) => client.request<Head>('GET', '/api/admin/audit/head', { signal }),
  });
  const verify = useMutation({ mutationFn: () => isInLog(kept.trim()) });
  if (!head.data || head.data.number === 0) return null;
  const now = `${head.data.number}:${head.data.hash}`;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    verify.mutate();
  };
  return (
    <section className={classes.head} aria-label="Head of the log">
      <div className={classes.headLine}>
        <span>
          Head: entry {count(head.data.number)}{' '}
          <span className="mono muted">{head.data.hash.slice(0, 16)}…</span>
        </span>
        <CopyIcon text={now} label="Copy the head, to keep it elsewhere" />
      </div>
      <form className={classes.headForm} onSubmit={submit}>
        <TextInput
          size="xs"
          aria-label="A head that you kept"
          placeholder="A head that you kept, NUMBER:HASH"
          value={kept}
          onChange={(event) => {
            setKept(event.currentTarget.value);
            verify.reset();
          }}
        />
        <Button
          type="submit"
          size="xs"
          variant="default"
          loading={verify.isPending}
          disabled={kept.trim() === ''}
        >
          Verify
        </Button>
      </form>
      {verify.data === undefined ? null : (
        <Alert color={verify.data ? 'pine' : 'red'} role="status" mt="xs">
          {verify.data
            ? 'The log still holds this entry: nothing before it was cut or changed.'
            : 'The log does not hold this entry. It was cut or written anew, or this head is of another server.'}
        </Alert>
      )}
      {verify.error ? (
        <Alert color="red" role="alert" mt="xs">
          {errorText(verify.error)}
        </Alert>
      ) : null}
    </section>
  );
}

/** Each entry's hash covers all before it, so finding the kept one is enough. */
async function isInLog(kept: string): Promise<boolean> {
  const [, number, hash] = /^(\d+):([0-9a-f]+)$/i.exec(kept) ?? [];
  if (number === undefined || hash === undefined) throw new Error('A head looks like 42:9f86d081…');
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof client.admin.audit>> = await client.admin.audit({
      limit: 100,
      ...(cursor === null ? {} : { cursor }),
    });
    const found = page.entries.find((entry) => entry.number === Number(number));
    if (found) return found.hash === hash.toLowerCase();
    cursor = page.next;
  } while (cursor !== null);
  return false;
}
