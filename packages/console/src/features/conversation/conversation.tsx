import type { ViewSnapshot } from '@llmgine/client';
import { ActionIcon, Button, Skeleton, Stack } from '@mantine/core';
import { IconArrowDown, IconMessageDots, IconPlugConnectedX } from '@tabler/icons-react';
import { type RefObject, useCallback, useMemo } from 'react';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { useMay } from '../../lib/auth.ts';
import { notifyError } from '../../lib/notify.ts';
import { Announcer } from './announcer.tsx';
import { Composer } from './composer.tsx';
import classes from './conversation.module.css';
import { Entries } from './entries.tsx';
import { useFailedRuns } from './use-failed-runs.ts';
import type { LiveSession } from './use-live-session.ts';
import { useStickToBottom } from './use-stick-to-bottom.ts';

export interface ConversationProps {
  readonly live: LiveSession;
  readonly snapshot: ViewSnapshot;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly hasEngine: boolean;
  readonly onOpenEngine: () => void;
  readonly onFork: (messageId: string) => void;
}

export function Conversation({ live, snapshot, field, hasEngine, onOpenEngine, onFork }: ConversationProps) {
  const { session, view } = live;
  const { messages, runs, status, hasOlder } = snapshot;
  const failed = useFailedRuns(session.id, runs.filter(({ finished_at: end }) => end !== null).length);
  const mayRun = useMay('runs:write');
  const stick = useStickToBottom(messages[0]?.message_id);
  const current = useMemo(() => runs.find(({ finished_at: end }) => end === null), [runs]);
  const cancel = useCallback(() => {
    if (current) {
      session
        .cancel(current.run_id)
        .catch((error: unknown) => notifyError(error, 'The answer was not stopped'));
    }
  }, [session, current]);
  const loadOlder = () =>
    view.loadOlder().catch((error: unknown) => notifyError(error, 'Older messages were not loaded'));
  const isEmpty = status === 'ready' && messages.length === 0 && !current;
  return (
    <div className={classes.conversation}>
      <section
        ref={stick.scroller}
        className={classes.scroller}
        onScroll={stick.onScroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard has to reach it.
        tabIndex={0}
        aria-label="Messages"
      >
        <div ref={stick.content} className={classes.column}>
          {hasOlder ? (
            <div className={classes.older}>
              <Button size="compact-sm" variant="subtle" onClick={() => void loadOlder()}>
                Load older messages
              </Button>
            </div>
          ) : null}
          {status === 'loading' ? <Loading /> : null}
          {status === 'error' ? (
            <ErrorPanel error={snapshot.error} title="The conversation could not be loaded" />
          ) : null}
          {isEmpty ? <Beginning hasEngine={hasEngine} onOpenEngine={onOpenEngine} /> : null}
          <Entries messages={messages} runs={runs} failed={failed} onFork={onFork} />
        </div>
      </section>
      <div className={classes.bottom}>
        {stick.isAtBottom ? null : (
          <ActionIcon
            className={classes.jump}
            variant="default"
            radius="xl"
            size="lg"
            aria-label="Go to the newest message"
            onClick={stick.toBottom}
          >
            <IconArrowDown size={18} />
          </ActionIcon>
        )}
        <div className={classes.column}>
          {mayRun ? (
            <Composer
              session={session}
              field={field}
              isRunning={current !== undefined}
              obstacle={obstacleOf(snapshot.connection, hasEngine)}
              onSent={stick.toBottom}
              onCancel={cancel}
            />
          ) : (
            <p className={classes.readOnly}>Your key may read this conversation, and not write in it.</p>
          )}
        </div>
      </div>
      <Announcer messages={messages} runs={runs} />
    </div>
  );
}

function obstacleOf(connection: ViewSnapshot['connection'], hasEngine: boolean): string | null {
  if (connection === 'closed') return 'The connection is closed';
  return hasEngine ? null : 'Choose an engine first';
}

function Loading() {
  return (
    <Stack gap="lg" aria-hidden>
      <Skeleton height={44} width="45%" ml="auto" />
      <Skeleton height={96} />
      <Skeleton height={44} width="35%" ml="auto" />
      <Skeleton height={140} />
    </Stack>
  );
}

function Beginning({ hasEngine, onOpenEngine }: Pick<ConversationProps, 'hasEngine' | 'onOpenEngine'>) {
  if (hasEngine) {
    return (
      <EmptyState icon={<IconMessageDots size={24} />} title="Say something">
        The engine is ready. Write below; you can attach images, too.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={<IconPlugConnectedX size={24} />}
      title="No engine is linked"
      action={
        <Button mt="sm" onClick={onOpenEngine}>
          Choose an engine
        </Button>
      }
    >
      An engine answers what you write. Choose one to begin.
    </EmptyState>
  );
}
