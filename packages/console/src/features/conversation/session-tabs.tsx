import { Tabs } from '@mantine/core';

const TABS = ['conversation', 'timeline', 'runs'] as const;
export type Tab = (typeof TABS)[number];

const LABELS: Readonly<Record<Tab, string>> = {
  conversation: 'Conversation',
  timeline: 'Timeline',
  runs: 'Runs',
};

export function isTab(value: unknown): value is Tab {
  return (TABS as readonly unknown[]).includes(value);
}

export interface SessionTabsProps {
  readonly tab: Tab;
  readonly onChange: (tab: Tab) => void;
}

export function SessionTabs({ tab, onChange }: SessionTabsProps) {
  return (
    <Tabs value={tab} onChange={(value) => isTab(value) && onChange(value)} px="sm" keepMounted={false}>
      <Tabs.List aria-label="Views of the session">
        {TABS.map((value) => (
          <Tabs.Tab key={value} value={value} aria-controls={undefined}>
            {LABELS[value]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
    </Tabs>
  );
}
