import { createTheme, type MantineColorsTuple } from '@mantine/core';

const pine: MantineColorsTuple = [
  '#effcf9',
  '#d5f5ee',
  '#aeeade',
  '#7ddccb',
  '#4cc6b3',
  '#29a897',
  '#15897c',
  '#0f6f66',
  '#115952',
  '#124944',
];
const gray: MantineColorsTuple = [
  '#f8f9f8',
  '#f1f3f2',
  '#e6e9e7',
  '#d6dad8',
  '#bcc2bf',
  '#939b97',
  '#656d69',
  '#4b524f',
  '#333937',
  '#1d2220',
];
const dark: MantineColorsTuple = [
  '#e3e8e6',
  '#c3cac7',
  '#a3aca8',
  '#7d8783',
  '#3c4542',
  '#2f3735',
  '#232a28',
  '#1b2120',
  '#151a19',
  '#0f1312',
];

/** Darker than those of Mantine from the seventh on, so that white can be read on it. */
const red: MantineColorsTuple = [
  '#fff1f0',
  '#ffe0de',
  '#ffc4c1',
  '#ff9f9b',
  '#f97c77',
  '#ee5d57',
  '#dc423c',
  '#c22f2a',
  '#a52622',
  '#84201d',
];

export const theme = createTheme({
  colors: { pine, gray, dark, red },
  primaryColor: 'pine',
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  fontFamily: 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Open Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  defaultRadius: 'md',
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '10px', xl: '16px' },
  headings: {
    fontWeight: '600',
    sizes: { h1: { fontSize: '22px' }, h2: { fontSize: '16px' }, h3: { fontSize: '14px' } },
  },
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Modal: {
      defaultProps: {
        centered: true,
        closeButtonProps: { 'aria-label': 'Close' },
        styles: { title: { fontSize: 16, fontWeight: 600 } },
      },
    },
    Drawer: {
      defaultProps: {
        closeButtonProps: { 'aria-label': 'Close' },
        styles: { title: { fontSize: 16, fontWeight: 600 } },
      },
    },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: true } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm', tt: 'none', fw: 500 } },
  },
});
