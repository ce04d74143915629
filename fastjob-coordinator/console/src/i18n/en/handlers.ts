export const handlers = {
  title: 'Handlers',
}
