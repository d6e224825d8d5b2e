import type { ViewMessage, ViewRun } from '@llmgine/client';
import { memo, useMemo } from 'react';
import { useMay } from '../../lib/auth.ts';
import type { Run } from '../../lib/protocol.ts';
import { byRun } from './by-run.ts';
import { MessageItem } from './message-item.tsx';
import { RunNote } from './run-note.tsx';

export interface EntriesProps {
  readonly messages: readonly ViewMessage[];
  readonly runs: readonly ViewRun[];
  /** Those that did not end well, also before the page was there. */
  readonly failed: readonly Run[];
  readonly onFork: (messageId: string) => void;
}

/** The messages, and after those of a run what became of it. */
export const Entries = memo(function Entries({ messages, runs, failed, onFork }: EntriesProps) {
  const ofRuns = new Map<string, Run | ViewRun>([...failed, ...runs].map((run) => [run.run_id, run]));
  const mayFork = useMay('sessions:write');
  const ordered = useMemo(() => byRun(messages), [messages]);
  const shown = new Set(messages.map(({ run_id: id }) => id));
  return (
    <>
      {ordered.map((message, index) => {
        const isRunEnd = ordered[index + 1]?.run_id !== message.run_id || message.run_id === null;
        const run = isRunEnd && message.run_id !== null ? ofRuns.get(message.run_id) : undefined;
        const canFork = isRunEnd && !message.streaming && (run === undefined || run.finished_at !== null);
        const isTool = message.role === 'tool' && !canFork;
        return (
          <div key={message.message_id}>
            {isTool ? null : (
              <MessageItem message={message} onFork={canFork && mayFork ? onFork : undefined} />
            )}
            {run ? <RunNote run={run} isStreaming={message.streaming} /> : null}
          </div>
        );
      })}
      {runs
        .filter((run) => !shown.has(run.run_id))
        .map((run) => (
          <RunNote key={run.run_id} run={run} isStreaming={false} />
        ))}
    </>
  );
});
