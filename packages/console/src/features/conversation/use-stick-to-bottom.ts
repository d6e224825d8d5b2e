import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react';

const NEAR = 48;

export interface StickToBottom {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly isAtBottom: boolean;
  readonly onScroll: () => void;
  readonly toBottom: () => void;
}

/**
 * Keeps the end in sight while it grows, until the reader scrolls away. What is put before the first entry (`firstKey`)
 * does not move what is being read.
 */
export function useStickToBottom(firstKey: string | undefined): StickToBottom {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const before = useRef({ firstKey, height: 0 });
  const [isAtBottom, setAtBottom] = useState(true);

  const toBottom = useCallback(() => {
    sticks.current = true;
    setAtBottom(true);
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, []);
  const onScroll = useCallback(() => {
    const place = scroller.current;
    if (!place) return;
    const isNear = place.scrollHeight - place.scrollTop - place.clientHeight < NEAR;
    sticks.current = isNear;
    setAtBottom(isNear);
  }, []);

  useLayoutEffect(() => {
    const place = scroller.current;
    if (!place) return;
    if (before.current.firstKey !== undefined && before.current.firstKey !== firstKey && !sticks.current) {
      place.scrollTop += place.scrollHeight - before.current.height;
    }
    before.current = { firstKey, height: place.scrollHeight };
  });

  useLayoutEffect(() => {
    if (!content.current || !scroller.current) return;
    const observer = new ResizeObserver(() => {
      const place = scroller.current;
      if (sticks.current && place) place.scrollTop = place.scrollHeight;
    });
    observer.observe(content.current);
    // The place itself, too: on a phone the keyboard takes half of it.
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);

  return { scroller, content, isAtBottom, onScroll, toBottom };
}
