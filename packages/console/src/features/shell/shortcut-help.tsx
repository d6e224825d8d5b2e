import { Kbd, Modal, Table } from '@mantine/core';

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['n'], 'New session'],
  [['/'], 'Search the sessions'],
  [['c'], 'Write in the conversation'],
  [['1'], 'Conversation'],
  [['2'], 'Timeline'],
  [['3'], 'Runs'],
  [['e'], 'Engine of the session'],
  [['Enter'], 'Send what you wrote'],
  [['Shift', 'Enter'], 'New line'],
  [['Ctrl', '.'], 'Stop the answer'],
  [['Esc'], 'Close a dialog'],
  [['?'], 'This help'],
];

export function ShortcutHelp({
  opened,
  onClose,
}: {
  readonly opened: boolean;
  readonly onClose: () => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard shortcuts">
      <Table verticalSpacing="xs" withRowBorders={false}>
        <Table.Tbody>
          {KEYS.map(([keys, meaning]) => (
            <Table.Tr key={meaning}>
              <Table.Td>{meaning}</Table.Td>
              <Table.Td ta="right">
                {keys.map((key) => (
                  <Kbd key={key} ml={4}>
                    {key}
                  </Kbd>
                ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
