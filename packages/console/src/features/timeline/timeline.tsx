import { Drawer, MultiSelect, SegmentedControl, Select, Switch } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconTimeline } from '@tabler/icons-react';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { EmptyState } from '../../components/empty-state.tsx';
import { count, plural, shortId } from '../../lib/format.ts';
import { type Entry, entryOfEvent, entryOfFrame } from './entry.ts';
import { EntryDetail } from './entry-detail.tsx';
import { EntryList } from './entry-list.tsx';
import { loadEarlier } from './load-earlier.ts';
import type { LogSnapshot, SessionLog } from './session-log.ts';
import classes from './timeline.module.css';

export interface TimelineProps {
  readonly sessionId: string;
  readonly log: SessionLog;
}

const SOURCES = [
  { value: 'events', label: 'Events' },
  { value: 'frames', label: 'Frames' },
];

/** What happens in a session, as it happens: the events of its log, or the frames of this connection. */
export function Timeline({ sessionId, log }: TimelineProps) {
  const now = useSyncExternalStore(log.subscribe, log.snapshot);
  const [held, setHeld] = useState<LogSnapshot | null>(null);
  const [source, setSource] = useState('events');
  const [types, setTypes] = useState<string[]>([]);
  const [run, setRun] = useState<string | null>(null);
  const [chosen, setChosen] = useState<Entry | null>(null);
  const isNarrow = useMediaQuery('(max-width: 62em)');
  useEffect(() => loadEarlier(sessionId, log), [sessionId, log]);

  const { events, frames } = held ?? now;
  const all = useMemo(
    () => (source === 'events' ? events.map(entryOfEvent) : frames.map(entryOfFrame)),
    [source, events, frames],
  );
  const shown = useMemo(
    () =>
      all.filter(
        (entry) =>
          (types.length === 0 || types.includes(entry.type)) && (run === null || entry.runId === run),
      ),
    [all, types, run],
  );
  const knownTypes = useMemo(() => [...new Set(all.map(({ type }) => type))].sort(), [all]);
  const knownRuns = useMemo(
    () => [...new Set(all.flatMap(({ runId }) => (runId === null ? [] : [runId])))],
    [all],
  );
  const missed = held ? now.events.length - held.events.length : 0;
  const detail = chosen ? <EntryDetail sessionId={sessionId} entry={chosen} hasTitle={!isNarrow} /> : null;
  return (
    <div className={classes.timeline}>
      <div className={classes.filters}>
        <SegmentedControl
          size="xs"
          data={SOURCES}
          value={source}
          aria-label="What is listed"
          onChange={(value) => {
            setSource(value);
            setTypes([]);
            setChosen(null);
            setRun(null);
          }}
        />
        <MultiSelect
          size="xs"
          className={classes.types}
          data={knownTypes}
          value={types}
          onChange={setTypes}
          placeholder={types.length === 0 ? 'All types' : ''}
          aria-label="Types"
          searchable
          clearable
        />
        {source === 'events' ? (
          <Select
            size="xs"
            data={knownRuns.map((id) => ({ value: id, label: `Run ${shortId(id)}` }))}
            value={run}
            onChange={setRun}
            placeholder="All runs"
            aria-label="Run"
            clearable
          />
        ) : null}
        <Switch
          size="xs"
          label={held && missed > 0 ? `Paused, ${count(missed)} more` : 'Pause'}
          checked={held !== null}
          onChange={(event) => setHeld(event.currentTarget.checked ? now : null)}
        />
        <span className={`muted numbers ${classes.total}`}>{plural(shown.length, 'entry', 'entries')}</span>
      </div>
      <div className={classes.panes}>
        {shown.length === 0 ? (
          <div className={classes.nothing}>
            <EmptyState icon={<IconTimeline size={24} />} title="Nothing here yet">
              What happens in the session appears here by itself.
            </EmptyState>
          </div>
        ) : (
          <EntryList
            entries={shown}
            chosen={chosen?.key ?? null}
            follows={held === null}
            onChoose={setChosen}
          />
        )}
        {isNarrow || !detail ? null : <aside className={classes.detail}>{detail}</aside>}
      </div>
      <Drawer
        opened={isNarrow === true && chosen !== null}
        onClose={() => setChosen(null)}
        position="bottom"
        size="70%"
        title={chosen?.type}
      >
        {detail}
      </Drawer>
    </div>
  );
}
