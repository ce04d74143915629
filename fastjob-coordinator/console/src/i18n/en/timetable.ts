export const timetable = {
  title: 'Timetable',
}
