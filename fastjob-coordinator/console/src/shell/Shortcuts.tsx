import { Fragment } from 'react'
import { useI18n } from '../i18n'
import { Dialog } from '../ui'
import { places, settingsPlace } from './places'

/** The sheet of all keys. */
export function Shortcuts({ onClose }: { onClose: () => void }) {
  const { t } = useI18n()
  const groups: [string, [string[], string][]][] = [
    [
      t.keys.everywhere,
      [
        [['Ctrl', 'K'], t.keys.palette],
        [['/'], t.keys.search],
        [['?'], t.keys.help],
        [['Shift', 'T'], t.keys.theme],
      ],
    ],
    [
      t.keys.lists,
      [
        [['j'], t.keys.next],
        [['k'], t.keys.previous],
        [['x'], t.keys.select],
        [['Shift', 'X'], t.keys.range],
        [['Enter'], t.keys.open],
        [['p'], t.keys.peek],
        [['Esc'], t.keys.clear],
      ],
    ],
    [
      t.keys.job,
      [
        [['s'], t.keys.startIt],
        [['e'], t.keys.edit],
      ],
    ],
    [
      t.keys.task,
      [
        [['s'], t.keys.stopIt],
        [['r'], t.keys.again],
        [['e'], t.keys.editJob],
        [['j'], t.keys.older],
        [['k'], t.keys.newer],
      ],
    ],
    [
      t.keys.form,
      [
        [['Ctrl', 'S'], t.keys.save],
        [['Ctrl', '↵'], t.keys.submit],
      ],
    ],
    [t.keys.go, [...places, settingsPlace].map(({ id, key }) => [['g', key], t.nav[id]])],
  ]
  return (
    <Dialog title={t.keys.title} onClose={onClose} wide>
      <div className="sheet">
        {groups.map(([name, lines]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {lines.map(([keys, words]) => (
                <div key={words}>
                  <dt>{words}</dt>
                  <dd>
                    {keys.map((key, index) => (
                      <Fragment key={key}>
                        {index > 0 && ' '}
                        <kbd>{key}</kbd>
                      </Fragment>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  )
}
