import { type IconName, shapes } from './shapes'

export type { IconName } from './shapes'

/** All shapes, once per page; icons refer to them. */
export function Sprite() {
  return (
    <svg width="0" height="0" className="sprite" aria-hidden="true">
      {Object.entries(shapes).map(([name, shape]) => (
        <symbol key={name} id={`i-${name}`} viewBox="0 0 16 16">
          {shape}
        </symbol>
      ))}
    </svg>
  )
}

/** An icon. It is decoration unless it has a label. */
export function Icon({ name, className, label }: { name: IconName; className?: string; label?: string }) {
  const shape = <use href={`#i-${name}`} />
  const classes = className ? `i ${className}` : 'i'
  return label ? (
    <svg className={classes} viewBox="0 0 16 16" role="img" aria-label={label}>
      {shape}
    </svg>
  ) : (
    <svg className={classes} viewBox="0 0 16 16" aria-hidden="true">
      {shape}
    </svg>
  )
}

/** The mark of FastJob. */
export function Mark() {
  return (
    <svg
      width="18"
      height="18"
      viewBox="0 0 18 18"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.6"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d="M3 4h8.5M6.5 9H15M3 14h5" />
    </svg>
  )
}
