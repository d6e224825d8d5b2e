import type { ViewMessage, ViewRun } from '@llmgine/client';
import { useEffect, useRef, useState } from 'react';

const SPOKEN = 300;

export interface AnnouncerProps {
  readonly messages: readonly ViewMessage[];
  readonly runs: readonly ViewRun[];
}

/** Tells those who do not see the page when an answer begins, and what it said: not each word as it comes. */
export function Announcer({ messages, runs }: AnnouncerProps) {
  const [words, setWords] = useState('');
  const wasRunning = useRef(false);
  const isRunning = runs.some(({ status }) => status === 'running' || status === 'queued');
  useEffect(() => {
    if (isRunning === wasRunning.current) return;
    wasRunning.current = isRunning;
    const news = isRunning ? 'The assistant is answering' : endOf(messages, runs);
    if (!notify(news)) setWords(news);
  }, [isRunning, messages, runs]);
  return (
    <div className="hidden-text" role="status" aria-live="polite">
      {words}
    </div>
  );
}

/** Without a second copy of the text in the page, where the browser can do that. */
function notify(text: string): boolean {
  const { ariaNotify } = document as { ariaNotify?: (text: string) => void };
  ariaNotify?.call(document, text);
  return ariaNotify !== undefined;
}

function endOf(messages: readonly ViewMessage[], runs: readonly ViewRun[]): string {
  if (runs.some(({ status }) => status === 'awaiting_input')) return 'The assistant waits for your answer';
  const last = runs.at(-1);
  if (last?.status === 'failed') return `The answer failed: ${last.error?.message ?? ''}`;
  if (last?.status === 'cancelled') return 'The answer was stopped';
  const answer = messages.findLast(({ role }) => role === 'assistant');
  const text = answer?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join(' ') ?? '';
  return `Answer complete. ${text.slice(0, SPOKEN)}`;
}
