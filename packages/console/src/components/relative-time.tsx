import { exactTime, relativeTime } from '../lib/format.ts';
import { useNow } from '../lib/use-now.ts';

export function RelativeTime({ at }: { readonly at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={exactTime(at)} className="numbers">
      {relativeTime(at, now)}
    </time>
  );
}
