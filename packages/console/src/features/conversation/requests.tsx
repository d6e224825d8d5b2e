import type { Session, ViewRequest } from '@llmgine/client';
import { Button, Modal } from '@mantine/core';
import { IconHandStop } from '@tabler/icons-react';
import { useState } from 'react';
import { useMay } from '../../lib/auth.ts';
import { plural } from '../../lib/format.ts';
import { RequestForm } from './request-form.tsx';
import classes from './requests.module.css';

const TITLES: Readonly<Record<ViewRequest['kind'], string>> = {
  approval: 'Approval needed',
  form: 'Your answer is needed',
  client_tool: 'A client has to run a tool',
};

export interface RequestsProps {
  readonly session: Session;
  readonly requests: readonly ViewRequest[];
}

/**
 * What runs ask people: the oldest as a dialog, which may be put aside, and all of them as a banner that brings it back.
 */
export function Requests({ session, requests }: RequestsProps) {
  const [aside, setAside] = useState<ReadonlySet<string>>(new Set());
  const mayAnswer = useMay('requests:answer');
  const open = mayAnswer ? requests.find(({ request_id: id }) => !aside.has(id)) : undefined;
  return (
    <>
      {requests.length > 0 ? (
        <div className={classes.banner} role="status">
          <IconHandStop size={16} aria-hidden />
          <span>{plural(requests.length, 'question waits', 'questions wait')} for an answer</span>
          {mayAnswer ? (
            <Button size="compact-xs" variant="default" onClick={() => setAside(new Set())}>
              Answer
            </Button>
          ) : null}
        </div>
      ) : null}
      <Modal
        opened={open !== undefined}
        onClose={() => open && setAside(new Set([...aside, open.request_id]))}
        title={open ? TITLES[open.kind] : ''}
        closeOnClickOutside={false}
        size="lg"
      >
        {open ? <RequestForm key={open.request_id} session={session} request={open} /> : null}
      </Modal>
    </>
  );
}
