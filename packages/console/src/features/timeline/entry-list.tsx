import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import { shortId } from '../../lib/format.ts';
import type { Entry } from './entry.ts';
import classes from './timeline.module.css';

const ROW = 30;
const NEAR = 40;

export interface EntryListProps {
  readonly entries: readonly Entry[];
  readonly chosen: string | null;
  /** Whether the newest stays in sight. */
  readonly follows: boolean;
  readonly onChoose: (entry: Entry) => void;
}

/** Only what is seen is in the page. */
export function EntryList({ entries, chosen, follows, onChoose }: EntryListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const rows = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 20,
    getItemKey: (index) => entries[index]?.key ?? index,
  });
  const { length } = entries;
  useEffect(() => {
    if (follows && sticks.current && length > 0) rows.scrollToIndex(length - 1, { align: 'end' });
  }, [follows, length, rows]);

  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = entries.findIndex(({ key }) => key === chosen);
    const next = entries[at === -1 ? length - 1 : at + step];
    if (!next) return;
    sticks.current = false;
    onChoose(next);
    rows.scrollToIndex(entries.indexOf(next));
  };
  const onScroll = () => {
    const place = scroller.current;
    if (place) sticks.current = place.scrollHeight - place.scrollTop - place.clientHeight < NEAR;
  };
  const chosenIndex = entries.findIndex(({ key }) => key === chosen);
  return (
    <div
      ref={scroller}
      className={classes.list}
      role="listbox"
      tabIndex={0}
      aria-label="Entries"
      aria-activedescendant={chosenIndex === -1 ? undefined : `entry-${chosen}`}
      onKeyDown={move}
      onScroll={onScroll}
    >
      <div className={classes.rows} style={{ height: rows.getTotalSize() }} role="presentation">
        {rows.getVirtualItems().map((row) => {
          const entry = entries[row.index];
          if (!entry) return null;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys.
            // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and says which entry is meant.
            <div
              key={row.key}
              id={`entry-${entry.key}`}
              className={classes.row}
              style={{ transform: `translateY(${row.start}px)` }}
              role="option"
              aria-selected={entry.key === chosen}
              onClick={() => onChoose(entry)}
            >
              <span className={classes.time}>{entry.time}</span>
              <span className={classes.seq}>{entry.event?.seq ?? ''}</span>
              <span className={classes.type} data-kind={kindOf(entry.type)}>
                {entry.type}
              </span>
              <span className={classes.run}>{entry.runId ? shortId(entry.runId) : ''}</span>
              <span className={`truncate ${classes.brief}`}>{entry.brief}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function kindOf(type: string): string {
  const [kind = ''] = type.replace(/^[←→] /, '').split(/[_:]/);
  return kind;
}
