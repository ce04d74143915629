import { useHandlers } from '../api/queries'

/** The JSON schema of a handler's param; null if it has none, or the coordinator does not know handlers yet. */
export function useSchema(service: string, handler: string): unknown {
  const handlers = useHandlers({ service })
  return (
    handlers.data?.items.find((one) => one.service === service && one.handler === handler)?.schema ?? null
  )
}
