/** One event more: a new state that shares with the old one what did not change. */
import type { Message, SessionEvent } from '@llmgine/protocol/wire';
import { append, place, remove, toViewMessage } from './messages.ts';
import { answering, changeRun, queued, stepFinished, stepStarted, waits } from './runs.ts';
import { resultsOf, toolAnswered, toolCalled } from './tool-calls.ts';
import type { ViewRequest, ViewState } from './types.ts';

/** Of custom events and of those of later versions. */
const MAX_CUSTOM = 200;

/** An event that is in the state already changes nothing. */
export function reduceEvent(state: ViewState, event: SessionEvent): ViewState {
  if (event.seq <= state.seq) return state;
  return { ...state, ...change(state, event), seq: event.seq };
}

function change(state: ViewState, event: SessionEvent): Partial<ViewState> {
  const { messages, runs } = state;
  const runId = event.run_id;
  switch (event.event_type) {
    case 'run_queued':
      return { runs: queued(state, event) };
    case 'run_started': {
      const { created_at, payload } = event;
      return {
        runs: changeRun(runs, runId, (run) => ({
          ...run,
          ...payload,
          status: 'running',
          started_at: run.started_at ?? created_at,
        })),
      };
    }
    case 'run_finished': {
      const { created_at, payload } = event;
      return {
        runs: changeRun(runs, runId, (run) => ({
          ...run,
          ...payload,
          finished_at: created_at,
          status_text: null,
        })),
        // Nothing follows the end of a run.
        messages: messages.filter((message) => !message.streaming || message.run_id !== (runId ?? null)),
        requests: state.requests.filter(({ run_id }) => run_id !== runId),
      };
    }
    case 'step_started':
      return { runs: changeRun(runs, runId, (run) => stepStarted(run, event)) };
    case 'step_finished':
      return { runs: changeRun(runs, runId, (run) => stepFinished(run, event)) };
    case 'message_started':
      return {
        messages: place(messages, toViewMessage(startedMessage(event), true)),
        runs: changeRun(runs, runId, (run) => answering(run, event.created_at)),
      };
    case 'text_delta':
    case 'reasoning_delta': {
      const { message_id, text } = event.payload;
      const type = event.event_type === 'text_delta' ? 'text' : 'reasoning';
      return { messages: append(messages, message_id, type, text) };
    }
    case 'message_completed': {
      const { replaces: _, ...message } = event.payload;
      return { messages: resultsOf(place(messages, toViewMessage(message, false)), message) };
    }
    case 'message_discarded':
      return { messages: remove(messages, event.payload.message_id) };
    case 'tool_call':
      return { messages: toolCalled(messages, runId ?? null, event.payload) };
    case 'tool_result':
      return { messages: toolAnswered(messages, runId ?? null, event.payload) };
    case 'input_requested': {
      const request = { ...event.payload, run_id: runId ?? null, created_at: event.created_at };
      const requests = [...without(state.requests, request.request_id), request];
      return { requests, runs: waits(runs, request.run_id, requests) };
    }
    case 'input_resolved': {
      const requests = without(state.requests, event.payload.request_id);
      return { requests, runs: waits(runs, runId ?? null, requests) };
    }
    case 'engine_linked':
      return { engine: event.payload };
    case 'engine_unlinked':
      return { engine: null };
    case 'status':
      return { runs: changeRun(runs, runId, (run) => ({ ...run, status_text: event.payload.text })) };
    default:
      return { custom: [...state.custom.slice(1 - MAX_CUSTOM), event] };
  }
}

function startedMessage(event: SessionEvent & { event_type: 'message_started' }): Message {
  const { run_id = null, created_at, payload } = event;
  return { ...payload, run_id, parts: [], created_at, metadata: { incomplete: true } };
}

function without(requests: readonly ViewRequest[], id: string): readonly ViewRequest[] {
  return requests.filter(({ request_id }) => request_id !== id);
}
