/** The icons, drawn on 16 by 16. Names that begin with `s-` are states. */
export const shapes = {
  bell: (
    <>
      <path d="M4 11V7a4 4 0 0 1 8 0v4l1 1.2H3zM6.7 14h2.6" />
    </>
  ),
  cal: (
    <>
      <rect x="2.5" y="3.5" width="11" height="10" rx="1.5" />
      <path d="M2.5 6.5h11M5.5 2v2M10.5 2v2" />
    </>
  ),
  check: (
    <>
      <path d="m3.5 8.5 3 3 6-7" />
    </>
  ),
  child: (
    <>
      <path d="M4 3v5a2 2 0 0 0 2 2h6M9.5 7.5 12 10l-2.5 2.5" />
    </>
  ),
  clock: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 5v3.2l2 1.3" />
    </>
  ),
  code: (
    <>
      <path d="M5.500 4.500 2 8l3.500 3.500M10.500 4.500 14 8l-3.500 3.500" />
    </>
  ),
  cols: (
    <>
      <rect x="2.5" y="3" width="11" height="10" rx="1.5" />
      <path d="M6.2 3v10M9.8 3v10" />
    </>
  ),
  copy: (
    <>
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M10.5 5.5v-3h-8v8h3" />
    </>
  ),
  dash: (
    <>
      <path d="M4 8h8" />
    </>
  ),
  dl: (
    <>
      <path d="M8 2.5v8M4.7 7.3 8 10.6l3.3-3.3M3 13.5h10" />
    </>
  ),
  down: (
    <>
      <path d="m5 6.5 3 3 3-3" />
    </>
  ),
  edit: (
    <>
      <path d="m3 13 .6-2.8 7.2-7.2 2.2 2.2-7.2 7.2z" />
    </>
  ),
  every: (
    <>
      <path d="M2.5 8h11M4 5.5v5M8 5.5v5M12 5.5v5" />
    </>
  ),
  exec: (
    <>
      <rect x="2.5" y="3" width="11" height="4" rx="1" />
      <rect x="2.5" y="9" width="11" height="4" rx="1" />
      <path d="M5 5h.01M5 11h.01" />
    </>
  ),
  eye: (
    <>
      <path d="M1.500 8S4 3.500 8 3.500 14.500 8 14.500 8 12 12.500 8 12.500 1.500 8 1.500 8z" />
      <circle cx="8" cy="8" r="2" />
    </>
  ),
  filter: (
    <>
      <path d="M2.5 4h11M4.5 8h7M6.5 12h3" />
    </>
  ),
  follow: (
    <>
      <path d="M8 2.5v7M4.8 6.5 8 9.7l3.2-3.2M4 13h8" />
    </>
  ),
  full: (
    <>
      <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />
    </>
  ),
  gap: (
    <>
      <path d="M2.5 8h3M10.5 8h3M5.5 5.5v5M10.5 5.5v5" />
    </>
  ),
  gear: (
    <>
      <path d="M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6" />
      <circle cx="10" cy="5" r="1.5" />
      <circle cx="6" cy="11" r="1.5" />
    </>
  ),
  hand: (
    <>
      <path d="M8 2.5v6M5.5 6l2.5 2.5L10.5 6M3 11.5h10" />
    </>
  ),
  handlers: (
    <>
      <path d="M5.500 4.500 2 8l3.500 3.500M10.500 4.500 14 8l-3.500 3.500" />
    </>
  ),
  home: (
    <>
      <path d="M2.5 13.5v-6M6.2 13.5v-11M9.8 13.5v-8M13.5 13.5v-4" />
    </>
  ),
  import: (
    <>
      <path d="M8 2.5v7M5 6.7l3 3 3-3M2.5 11v2.5h11V11" />
    </>
  ),
  info: (
    <>
      <circle cx="8" cy="8" r="5.500" />
      <path d="M8 7.500v3M8 5.300v.01" />
    </>
  ),
  jobs: (
    <>
      <rect x="2.5" y="2.5" width="11" height="11" rx="2" />
      <path d="M8 5v3l2 1.5" />
    </>
  ),
  keyboard: (
    <>
      <rect x="1.5" y="4" width="13" height="8" rx="1.5" />
      <path d="M4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 9.5h6" />
    </>
  ),
  left: (
    <>
      <path d="m9.500 4.500-3.500 3.500 3.500 3.500" />
    </>
  ),
  link: (
    <>
      <path d="M6.5 9.5 9.500 6.500M7 4.500l1.200-1.200a3 3 0 0 1 4.500 4.400L11.500 9M9 11.500l-1.200 1.200a3 3 0 0 1-4.500-4.400L4.500 7" />
    </>
  ),
  log: (
    <>
      <path d="M3.5 2.5h6l3 3v8h-9zM5.8 8h4.4M5.8 10.7h4.4" />
    </>
  ),
  more: (
    <>
      <path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2" />
    </>
  ),
  nodes: (
    <>
      <circle cx="8" cy="3.5" r="1.7" />
      <circle cx="3.5" cy="12" r="1.7" />
      <circle cx="12.5" cy="12" r="1.7" />
      <path d="M7.2 5 4.3 10.5M8.8 5l2.9 5.5M5.2 12h5.6" />
    </>
  ),
  once: (
    <>
      <path d="M8 2.5v3M8 10.5v3M2.5 8h3M10.5 8h3" />
      <circle cx="8" cy="8" r="1.5" />
    </>
  ),
  out: (
    <>
      <path d="M6.500 3h-4v10h4M6 8h7.500M10.500 5l3 3-3 3" />
    </>
  ),
  pause: (
    <>
      <path d="M6 4v8M10 4v8" />
    </>
  ),
  play: (
    <>
      <path d="M5 3.5v9l7-4.5z" />
    </>
  ),
  plus: (
    <>
      <path d="M8 3.5v9M3.5 8h9" />
    </>
  ),
  redo: (
    <>
      <path d="M12.8 8A4.8 4.8 0 1 1 11 4.3M11.2 1.8v2.7H8.5" />
    </>
  ),
  right: (
    <>
      <path d="m6.500 4.500 3.500 3.500-3.500 3.500" />
    </>
  ),
  's-all': (
    <>
      <circle cx="8" cy="8" r="6.2" strokeWidth="1.5" />
    </>
  ),
  's-bad': (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" stroke="none" />
      <path d="m5.5 5.5 5 5M10.5 5.5l-5 5" stroke="var(--paper)" strokeWidth="1.75" />
    </>
  ),
  's-ok': (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" stroke="none" />
      <path d="m5 8.3 2.2 2.2 4-4.6" stroke="var(--paper)" strokeWidth="1.75" />
    </>
  ),
  's-run': (
    <>
      <circle cx="8" cy="8" r="6" strokeWidth="2" opacity=".25" />
      <path d="M8 2a6 6 0 0 1 6 6" strokeWidth="2" />
    </>
  ),
  's-skip': (
    <>
      <circle cx="8" cy="8" r="6.2" strokeWidth="1.5" strokeDasharray="2.4 2.4" />
      <path d="M5.5 8h5" strokeWidth="1.6" />
    </>
  ),
  's-stop': (
    <>
      <rect x="2" y="2" width="12" height="12" rx="3" fill="currentColor" stroke="none" />
      <rect x="5.5" y="5.5" width="5" height="5" rx=".5" fill="var(--paper)" stroke="none" />
    </>
  ),
  's-wait': (
    <>
      <circle cx="8" cy="8" r="6.2" strokeWidth="1.6" />
      <path d="M8 4.6V8l2.3 1.4" strokeWidth="1.6" />
    </>
  ),
  's-warn': (
    <>
      <path d="M8 2 14.5 13.5h-13z" fill="currentColor" stroke="currentColor" />
      <path d="M8 6.5v3M8 11.6v.01" stroke="var(--paper)" strokeWidth="1.6" />
    </>
  ),
  search: (
    <>
      <circle cx="7" cy="7" r="4.25" />
      <path d="m10.2 10.2 3.3 3.3" />
    </>
  ),
  sun: (
    <>
      <path d="M8 2.5a5.5 5.5 0 1 0 0 11z" fill="currentColor" />
      <circle cx="8" cy="8" r="5.5" />
    </>
  ),
  tasks: (
    <>
      <path d="M2.5 4h7M5.5 8h8M4 12h6" />
    </>
  ),
  trash: (
    <>
      <path d="M3 4.500h10M6.500 4.500v-2h3v2M4.500 4.500l.6 9h5.800l.6-9" />
    </>
  ),
  up: (
    <>
      <path d="M8 12.5v-9M4.5 7 8 3.5 11.5 7" />
    </>
  ),
  wrap: (
    <>
      <path d="M2.5 4h11M2.5 8h9a2 2 0 0 1 0 4.5H8M9.8 10.7 8 12.5l1.8 1.8M2.5 12h2.5" />
    </>
  ),
  x: (
    <>
      <path d="m4 4 8 8M12 4l-8 8" />
    </>
  ),
} as const

export type IconName = keyof typeof shapes
