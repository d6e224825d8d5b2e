import type { ReactNode } from 'react';

/** Names and what they are. How they stand is the page's. */
export function Facts({
  facts,
  className,
}: {
  readonly facts: readonly (readonly [string, ReactNode])[];
  readonly className: string | undefined;
}) {
  return (
    <dl className={className}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
