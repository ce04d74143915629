export const cluster = {
  title: 'Cluster',
}
