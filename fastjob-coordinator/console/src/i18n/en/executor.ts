export const executor = {
  title: 'Executor',
}
