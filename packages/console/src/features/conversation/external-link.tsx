import type { ReactNode } from 'react';
import classes from './markdown.module.css';

const SHOWN = 60;

export interface ExternalLinkProps {
  readonly href: string | undefined;
  readonly children: ReactNode;
}

/** A link of somebody who is not trusted: where it leads stands beside it, and the page there learns nothing. */
export function ExternalLink({ href, children }: ExternalLinkProps) {
  if (href?.startsWith('#')) return <a href={href}>{children}</a>;
  const address = href ? URL.parse(href) : null;
  if (!address || !['http:', 'https:', 'mailto:'].includes(address.protocol)) {
    return (
      <span>
        {children}
        {href ? <span className={classes.address}> ({href.slice(0, SHOWN)})</span> : null}
      </span>
    );
  }
  const isItself = typeof children === 'string' && href === children;
  return (
    <a href={address.href} target="_blank" rel="noopener noreferrer nofollow" title={address.href}>
      {children}
      {isItself ? null : <span className={classes.address}> ({short(address)})</span>}
    </a>
  );
}

/** What counts of it first: a name before an `@` only looks like where it leads. */
function short({ protocol, host, pathname, search, hash }: URL): string {
  const scheme = protocol === 'https:' ? '' : protocol === 'mailto:' ? 'mailto:' : `${protocol}//`;
  const text = `${scheme}${host}${pathname}${search}${hash}`;
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text.replace(/\/$/, '');
}
