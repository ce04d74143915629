import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from './duration'
import { cronSentence, cronWords, scheduleWords } from './words'

test.each([
  ['* * * * *', 'Every minute', '每分钟'],
  ['* * * * * ?', 'Every second', '每秒'],
  ['0/10 * * * * ?', 'Every 10 seconds', '每 10 秒'],
  ['*/10 * * * *', 'Every 10 minutes', '每 10 分钟'],
  ['0 0/5 * * * ?', 'Every 5 minutes', '每 5 分钟'],
  ['0 5/10 * * * ?', 'Every 10 minutes from :05', '每 10 分钟（从第 5 分起）'],
  ['30 * * * * ?', 'Every minute at second 30', '每分钟第 30 秒'],
  ['0 15 * * * ?', 'Hourly at :15', '每小时第 15 分'],
  ['0 0 * * * ?', 'Hourly', '每小时'],
  ['@hourly', 'Hourly', '每小时'],
  ['5,20,40 * * * *', 'Hourly at :05, :20 and :40', '每小时第 5、20、40 分'],
  ['0 0 */2 * * ?', 'Every 2 hours', '每 2 小时'],
  ['0 15 */2 * * ?', 'Every 2 hours at :15', '每 2 小时（第 15 分）'],
  ['0 0 4/6 * * ?', 'Every 6 hours from 04:00', '每 6 小时（04:00 起）'],
  ['0 0 8-18/2 * * ?', 'Every 2 hours from 08:00 to 18:00', '08:00–18:00 每 2 小时'],
  ['0 */10 9-17 * * ?', 'Every 10 minutes from 09:00 to 17:59', '09:00–17:59 每 10 分钟'],
  ['0 0 22-4 * * ?', 'Hourly from 22:00 to 04:00', '22:00–04:00 每小时'],
  ['0 15 9-17 ? * MON-FRI', 'Hourly from 09:15 to 17:15 on weekdays', '工作日 09:15–17:15 每小时'],
  ['0 */10 * ? * MON-FRI', 'Every 10 minutes on weekdays', '工作日每 10 分钟'],
  ['0 30 2 * * ?', 'Daily at 02:30', '每天 02:30'],
  ['15 30 2 * * ?', 'Daily at 02:30:15', '每天 02:30:15'],
  ['0 0 9,17 * * ?', 'Daily at 09:00 and 17:00', '每天 09:00、17:00'],
  ['0 0 2 ? * MON-FRI', 'Weekdays at 02:00', '每个工作日 02:00'],
  ['0 2 * * 1-5', 'Weekdays at 02:00', '每个工作日 02:00'],
  ['0 0 10 ? * SAT,SUN', 'Weekends at 10:00', '每个周末 10:00'],
  ['0 0 4 ? * SUN', 'Sundays at 04:00', '每周日 04:00'],
  ['0 0 4 ? * MON,WED,FRI', 'Mon, Wed and Fri at 04:00', '每周一、三、五 04:00'],
  ['0 0 4 ? * MON-THU', 'Mon to Thu at 04:00', '每周一至周四 04:00'],
  ['0 0 3 1 * ?', 'Day 1 at 03:00', '每月 1 日 03:00'],
  ['@monthly', 'Day 1 at 00:00', '每月 1 日 00:00'],
  ['0 0 3 1,15 * ?', 'Days 1 and 15 at 03:00', '每月 1、15 日 03:00'],
  ['0 0 3 1-7 * ?', 'Days 1 to 7 at 03:00', '每月 1 至 7 日 03:00'],
  ['0 0 3 L * ?', 'Last day of the month at 03:00', '每月最后一天 03:00'],
  ['0 0 3 L-3 * ?', '3 days before the last day of the month at 03:00', '每月倒数第 4 天 03:00'],
  ['0 0 3 LW * ?', 'Last workday of the month at 03:00', '每月最后一个工作日 03:00'],
  ['0 0 3 15W * ?', 'Workday nearest to day 15 at 03:00', '每月最接近 15 日的工作日 03:00'],
  ['0 0 3 ? * 6L', 'Last Friday of the month at 03:00', '每月最后一个周五 03:00'],
  ['0 0 3 ? * 6#3', 'Third Friday of the month at 03:00', '每月第 3 个周五 03:00'],
  ['0 0 3 1/2 * ?', 'Every 2 days from day 1 of the month at 03:00', '每月 1 日起每 2 天 03:00'],
  ['@yearly', '1 January at 00:00', '每年 1 月 1 日 00:00'],
  ['0 0 3 1 1,7 ?', 'Day 1 at 03:00 in January and July', '每年 1、7 月的 1 日 03:00'],
  ['0 0 3 * 6 ?', 'Daily at 03:00 in June', '每年 6 月的每天 03:00'],
  ['0 0 3 ? 6-8 MON-FRI', 'Weekdays at 03:00 in June to August', '每年 6 至 8 月的每个工作日 03:00'],
  ['0 0 3 1 1 ? 2027', '1 January at 03:00 in 2027', '2027 年 1 月 1 日 03:00'],
  ['0 3 1 * 1', 'Day 1 and on Mondays at 03:00', '每月 1 日及每周一 03:00'],
])('%s is said in words', (cron, en, zh) => {
  expect([cronSentence(cron, 'en'), cronSentence(cron, 'zh')]).toEqual([en, zh])
})

test.each([
  ['0 7/13 9,12,18 * * ?', 'every 13 minutes from 7 · hour 9, 12, 18', '从 7 起每 13 分钟 · 时 9、12、18'],
  ['0 0 */2 * 1', 'minute 0 · hour 0 · every 2 days · weekday Mon', '分 0 · 时 0 · 每 2 天 · 周一'],
])('%s is said field by field, because it has no brief words', (cron, en, zh) => {
  expect([cronWords(cron, 'en'), cronWords(cron, 'zh')]).toEqual([en, zh])
})

test('the words of any expression are short', () => {
  const long = `0 ${'1,3,7,'.repeat(30)}9 * * * ?`
  expect(cronWords(long, 'en')?.length).toBeLessThanOrEqual(160)
  expect(cronWords('0 0 25 * * ?', 'en')).toBeNull()
})

test('every kind of schedule has words', () => {
  expect(scheduleWords('none', 'en')).toBe('By hand')
  expect(scheduleWords('none', 'zh')).toBe('手动触发')
  expect(scheduleWords({ fixed_rate: '30s' }, 'en')).toBe('Every 30 s')
  expect(scheduleWords({ fixed_rate: '1h 30m' }, 'zh')).toBe('每 1 小时 30 分钟')
  expect(scheduleWords({ fixed_delay: '30s' }, 'en')).toBe('30 s after the last')
  expect(scheduleWords({ fixed_delay: '30s' }, 'zh')).toBe('上次结束 30 秒后')
  expect(scheduleWords({ once: '2026-12-01T08:00:00Z' }, 'en', 'Asia/Shanghai')).toBe(
    'Once, 1 Dec 2026, 16:00',
  )
  expect(scheduleWords({ once: '2026-12-01T08:00:00Z' }, 'zh', 'UTC')).toBe('2026年12月1日 08:00 执行一次')
  expect(scheduleWords({ cron: 'wrong' }, 'en')).toBe('Wrong')
})

test.each([
  ['30s', 30_000],
  ['10m', 600_000],
  ['1h 30m', 5_400_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
  ['2d', 172_800_000],
  ['0s', 0],
  ['1.5s', 1_500],
  ['10 min', 600_000],
])('%s is a duration', (text, millis) => {
  expect(parseDuration(text)).toBe(millis)
  expect(parseDuration(formatDuration(millis))).toBe(millis)
})

test.each(['', '30', 's', '-1s', '1.5us', '1 year', '99999d', 'P1D extra', '1m 1h', '1.5h 3m'])(
  '%j is not a duration',
  (text) => {
    expect(parseDuration(text)).toBeNull()
  },
)
