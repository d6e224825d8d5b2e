import type { AuditEntry } from '@llmgine/client';
import { UnstyledButton } from '@mantine/core';
import { Fragment, useState } from 'react';
import { JsonView } from '../../components/json-view.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import classes from './admin.module.css';

export function AuditTable({ entries }: { readonly entries: readonly AuditEntry[] }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <div className={classes.wide}>
      <table className={`table ${classes.table}`}>
        <thead>
          <tr>
            <th>No.</th>
            <th>Action</th>
            <th>Outcome</th>
            <th>Who</th>
            <th>Target</th>
            <th>From</th>
            <th>When</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <Fragment key={entry.number}>
              <tr>
                <td className="numbers">{entry.number}</td>
                <td>
                  <UnstyledButton
                    className={classes.strong}
                    aria-expanded={open === entry.number}
                    onClick={() => setOpen(open === entry.number ? null : entry.number)}
                  >
                    {entry.action}
                    {entry.count === undefined ? '' : ` × ${entry.count}`}
                  </UnstyledButton>
                </td>
                <td>
                  <StatusBadge status={entry.outcome} />
                </td>
                <td>{entry.principal?.id ?? '–'}</td>
                <td className="mono">{entry.target ? `${entry.target.kind} ${entry.target.id}` : '–'}</td>
                <td>{entry.address ?? entry.transport}</td>
                <td>
                  <RelativeTime at={entry.at} />
                </td>
              </tr>
              {open === entry.number ? (
                <tr>
                  <td colSpan={7}>
                    <JsonView value={entry} label={`Entry ${entry.number}`} />
                  </td>
                </tr>
              ) : null}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}
