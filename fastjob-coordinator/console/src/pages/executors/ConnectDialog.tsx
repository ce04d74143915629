/** How to connect an executor to this coordinator. */
import { useI18n } from '../../i18n'
import { Button, Code, Dialog } from '../../ui'

export function ConnectDialog({ token, onClose }: { token: boolean; onClose: () => void }) {
  const { t, say } = useI18n()
  const words = t.executors.how
  const address = location.origin
  return (
    <Dialog
      wide
      title={words.title}
      onClose={onClose}
      foot={
        <Button look="main" onClick={onClose}>
          {t.act.close}
        </Button>
      }
    >
      <p className="grey">{say(words.detail, { address })}</p>
      <Code title="shell" text="cargo add fastjob-executor" />
      <Code title="main.rs" text={snippet(address)} />
      {token && <p className="grey dlg-p">{words.token}</p>}
    </Dialog>
  )
}

const snippet = (address: string) => `use fastjob_executor::prelude::*;

#[job("hello", cron = "0/10 * * * * ?")]
async fn hello(ctx: &JobContext) -> JobResult {
    ctx.log("hello");
    Ok("done".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Executor::builder("my-service")
        .coordinators(["${address}"])
        .run()
        .await?;
    Ok(())
}
`
