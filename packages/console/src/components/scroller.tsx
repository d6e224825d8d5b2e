import type { ReactNode } from 'react';

export interface ScrollerProps {
  readonly label: string;
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

/** Something that may be too large for its place. */
export function Scroller({ label, className, children }: ScrollerProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard has to reach it.
    <section className={className} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
