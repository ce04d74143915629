export const editor = {
  title: 'Job editor',
}
