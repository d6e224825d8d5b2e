import type { Session } from '@llmgine/client';
import { ActionIcon, CloseButton, FileButton, Textarea, Tooltip } from '@mantine/core';
import { useSessionStorage } from '@mantine/hooks';
import { IconArrowUp, IconPhoto, IconPlayerStopFilled } from '@tabler/icons-react';
import { type ClipboardEvent, type DragEvent, type KeyboardEvent, type RefObject, useState } from 'react';
import { bytes } from '../../lib/format.ts';
import { notifyError } from '../../lib/notify.ts';
import { type Attachment, attach, IMAGE_TYPES, toSent } from './attachments.ts';
import classes from './composer.module.css';

export interface ComposerProps {
  readonly session: Session;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly isRunning: boolean;
  /** Why nothing can be sent; null: it can. */
  readonly obstacle: string | null;
  readonly onSent: () => void;
  readonly onCancel: () => void;
}

export function Composer({ session, field, isRunning, obstacle, onSent, onCancel }: ComposerProps) {
  const [text, setText] = useSessionStorage({ key: `draft:${session.id}`, defaultValue: '' });
  const [attachments, setAttachments] = useState<readonly Attachment[]>([]);
  const [complaints, setComplaints] = useState<readonly string[]>([]);
  const [isSending, setSending] = useState(false);
  const [isDropping, setDropping] = useState(false);
  const canSend = obstacle === null && !isSending && text.trim() !== '';

  const add = async (files: readonly File[]) => {
    const result = await attach(attachments, files);
    setAttachments(result.attachments);
    setComplaints(result.complaints);
  };
  const send = async () => {
    if (!canSend) return;
    setSending(true);
    try {
      const options = attachments.length > 0 ? { attachments: toSent(attachments) } : {};
      await session.prompt(text, options).accepted;
      // Only now: what is not accepted is still there to be sent again.
      setText('');
      setAttachments([]);
      setComplaints([]);
      onSent();
    } catch (error) {
      notifyError(error, 'The message was not sent');
    } finally {
      setSending(false);
      field.current?.focus();
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === '.' && (event.ctrlKey || event.metaKey)) onCancel();
    if (event.key === 'Escape') field.current?.blur();
    // While an input method composes a character, Enter ends the character.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };
  const onPaste = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    void add(files);
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setDropping(false);
    void add([...event.dataTransfer.files]);
  };

  return (
    <form
      className={classes.composer}
      data-dropping={isDropping}
      aria-label="Write a message"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={onDrop}
    >
      {attachments.length > 0 ? (
        <ul className={classes.files} aria-label="Attached images">
          {attachments.map(({ id, name, size }) => (
            <li key={id} className={classes.file}>
              <IconPhoto size={14} aria-hidden />
              <span className="truncate">{name}</span>
              <span className="muted">{bytes(size)}</span>
              <CloseButton
                size="xs"
                aria-label={`Remove ${name}`}
                onClick={() => setAttachments(attachments.filter((file) => file.id !== id))}
              />
            </li>
          ))}
        </ul>
      ) : null}
      {complaints.map((complaint) => (
        <div key={complaint} className={classes.complaint} role="alert">
          {complaint}
        </div>
      ))}
      <div className={classes.line}>
        <FileButton multiple accept={IMAGE_TYPES.join(',')} onChange={(files) => void add(files)}>
          {(props) => (
            <Tooltip label="Attach images">
              <ActionIcon {...props} variant="subtle" color="gray" size="lg" aria-label="Attach images">
                <IconPhoto size={20} />
              </ActionIcon>
            </Tooltip>
          )}
        </FileButton>
        <Textarea
          ref={field}
          className={classes.field}
          variant="unstyled"
          autosize
          minRows={1}
          maxRows={10}
          aria-label="Message"
          placeholder={obstacle ?? 'Write a message'}
          value={text}
          readOnly={isSending}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKey}
          onPaste={onPaste}
        />
        {isRunning ? (
          <Tooltip label="Stop (Ctrl .)">
            <ActionIcon
              variant="default"
              size="lg"
              radius="md"
              aria-label="Stop the answer"
              onClick={onCancel}
            >
              <IconPlayerStopFilled size={16} />
            </ActionIcon>
          </Tooltip>
        ) : null}
        <Tooltip label={isRunning ? 'Send; it waits for its turn' : 'Send (Enter)'}>
          <ActionIcon
            type="submit"
            size="lg"
            radius="md"
            aria-label="Send"
            disabled={!canSend}
            loading={isSending}
          >
            <IconArrowUp size={18} />
          </ActionIcon>
        </Tooltip>
      </div>
    </form>
  );
}
