import { type ReactNode, useEffect, useRef } from 'react'
import { itemsOf, useAbout, useExecutors, useJobs, useTasks } from '../../api/queries'
import { useI18n } from '../../i18n'
import { Button, Code, cx, Go, Icon, paths, Status, useGo } from '../../ui'

const RUST = (address: string) => `use fastjob_executor::prelude::*;

/// Says hello every ten seconds.
#[job("demoJobHandler", cron = "0/10 * * * * ?")]
struct DemoJobHandler;

impl JobHandler for DemoJobHandler {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        ctx.log(format_args!("hello, the param is {:?}", ctx.param_text()));
        Ok("done".into())
    }
}

// and in main
Executor::builder("demo").coordinators(["${address}"]).run().await?;`

/** Three steps of a fresh coordinator, which tick themselves off. */
export function FirstRun({ onSkip }: { onSkip: () => void }) {
  const { t, say, sayNodes } = useI18n()
  const go = useGo()
  const words = t.overview.first
  const about = useAbout()
  const executors = useExecutors({ every: 2_000 })
  const jobs = itemsOf(useJobs({ limit: 20 }).data)
  const tasks = itemsOf(useTasks({ limit: 1 }).data)
  const executor = executors.data?.items.find((one) => one.connected)
  const store = about.data?.store === 'postgres' ? 'PostgreSQL' : 'SQLite'
  const first = tasks[0]
  const job = jobs.find((one) => one.service === executor?.service) ?? jobs[0]

  // The first task opens by itself, once, if there was none when the page opened.
  const hadNone = useRef<boolean | null>(null)
  useEffect(() => {
    hadNone.current ??= first === undefined
    if (hadNone.current && first) {
      hadNone.current = false
      go(paths.task(first.id))
    }
  }, [first, go])

  return (
    <div className="first">
      <h1>{words.title}</h1>
      <p>{words.detail}</p>
      <ol className="steps">
        <Step number={1} done title={words.up} end={<span className="mono grey">{location.host}</span>}>
          <p>{sayNodes(words.upDetail, { store })}</p>
        </Step>
        <Step
          number={2}
          done={executor !== undefined}
          current={executor === undefined}
          title={executor ? say(words.connected, { name: executor.name }) : words.connect}
          end={
            executor ? (
              <span className="grey">{executor.service}</span>
            ) : (
              <span className="grey">
                <Status state="running">{words.listens}</Status>
              </span>
            )
          }
        >
          {!executor && (
            <>
              <p>{words.connectDetail}</p>
              <Code title={words.shell} text="cargo add fastjob-executor" />
              <Code title="src/main.rs" text={RUST(location.origin)} />
            </>
          )}
        </Step>
        <Step
          number={3}
          done={first !== undefined}
          current={executor !== undefined && !first}
          title={words.run}
        >
          <p>{words.runDetail}</p>
          <Code
            title={words.shell}
            text={`fastjob start ${job?.name ?? 'demoJobHandler'} --param '{"n":3}' --wait`}
          />
          {job && executor && (
            <p className="step-act">
              <Go className="btn main" to={`${paths.job(job.name, job.service)}?start=1`}>
                <Icon name="play" />
                {say(words.start, { name: job.name })}
              </Go>
            </p>
          )}
        </Step>
      </ol>
      <p className="first-foot">
        {sayNodes(words.migrate, {
          write: (
            <Go className="link" to="/jobs/new">
              {words.write}
            </Go>
          ),
        })}{' '}
        <Button look="link" small onClick={onSkip} className="plain">
          {words.skip}
        </Button>
      </p>
    </div>
  )
}

function Step({
  number,
  done,
  current,
  title,
  end,
  children,
}: {
  number: number
  done?: boolean
  current?: boolean
  title: ReactNode
  end?: ReactNode
  children?: ReactNode
}) {
  const { t } = useI18n()
  return (
    <li className={cx(done && 'done', current && 'cur')} aria-current={current ? 'step' : undefined}>
      <span className="o">
        {done ? <Icon name="s-ok" className="ok" label={t.overview.first.done} /> : number}
      </span>
      <div>
        <h2 className={cx(!done && !current && 'grey')}>
          {title}
          {end && <span className="end">{end}</span>}
        </h2>
        {children}
      </div>
    </li>
  )
}
