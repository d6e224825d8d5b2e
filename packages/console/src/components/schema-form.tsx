import { NumberInput, Select, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import type { Draft, Field } from '../lib/json-schema.ts';

export interface SchemaFormProps {
  readonly fields: readonly Field[];
  readonly draft: Draft;
  /** By name of the field; dotted below it. */
  readonly errors: Readonly<Record<string, string>>;
  readonly onChange: (draft: Draft) => void;
}

/** A form that a JSON Schema describes. What it holds stays its owner's. */
export function SchemaForm({ fields, draft, errors, onChange }: SchemaFormProps) {
  return (
    <Stack gap="sm">
      {fields.map((field, index) => (
        <FieldInput
          key={field.name}
          field={field}
          isFirst={index === 0}
          value={draft[field.name] ?? (field.kind === 'list' ? [] : '')}
          error={errorOf(field.name, errors)}
          onChange={(value) => onChange({ ...draft, [field.name]: value })}
        />
      ))}
    </Stack>
  );
}

interface FieldInputProps {
  readonly field: Field;
  readonly isFirst: boolean;
  readonly value: string | readonly string[];
  readonly error: string | undefined;
  readonly onChange: (value: string | readonly string[]) => void;
}

function FieldInput({ field, isFirst, value, error, onChange }: FieldInputProps) {
  const common = {
    label: field.label,
    description: field.description,
    required: field.isRequired,
    error,
    'data-autofocus': isFirst || undefined,
  };
  const placeholder = field.fallback === undefined ? '' : `Default: ${JSON.stringify(field.fallback)}`;
  const text = typeof value === 'string' ? value : '';
  switch (field.kind) {
    case 'boolean':
      return (
        <Select
          {...common}
          data={[
            { value: 'true', label: 'Yes' },
            { value: 'false', label: 'No' },
          ]}
          value={text === '' ? null : text}
          placeholder={placeholder || (field.isRequired ? 'Choose' : 'Default')}
          clearable={!field.isRequired}
          onChange={(chosen) => onChange(chosen ?? '')}
        />
      );
    case 'choice':
      return (
        <Select
          {...common}
          data={[...field.choices]}
          value={text === '' ? null : text}
          placeholder={placeholder || (field.isRequired ? 'Choose' : 'Default')}
          clearable={!field.isRequired}
          onChange={(chosen) => onChange(chosen ?? '')}
        />
      );
    case 'list':
      return (
        <TagsInput
          {...common}
          value={typeof value === 'string' ? [] : [...value]}
          placeholder="Type and press Enter"
          acceptValueOnBlur
          onChange={onChange}
        />
      );
    case 'number':
      return (
        <NumberInput
          {...common}
          value={text}
          placeholder={placeholder || rangeOf(field)}
          allowDecimal={!field.isWhole}
          onChange={(typed) => onChange(String(typed))}
        />
      );
    case 'json':
      return (
        <Textarea
          {...common}
          value={text}
          placeholder={placeholder || 'JSON'}
          autosize
          minRows={2}
          maxRows={12}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12 } }}
          spellCheck={false}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'text':
      return field.isLong ? (
        <Textarea
          {...common}
          value={text}
          placeholder={placeholder}
          autosize
          minRows={3}
          maxRows={14}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      ) : (
        <TextInput
          {...common}
          value={text}
          placeholder={placeholder}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
  }
}

function errorOf(name: string, errors: Readonly<Record<string, string>>): string | undefined {
  if (errors[name] !== undefined) return errors[name];
  const below = Object.entries(errors).find(([path]) => path.startsWith(`${name}.`));
  return below ? `${below[0].slice(name.length + 1)}: ${below[1]}` : undefined;
}

function rangeOf({ minimum, maximum }: Field): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return minimum === undefined ? '' : `${minimum} or more`;
}
