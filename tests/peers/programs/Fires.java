import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.Date;
import java.util.HashMap;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.quartz.CronScheduleBuilder;
import org.quartz.Job;
import org.quartz.JobBuilder;
import org.quartz.JobDataMap;
import org.quartz.JobDetail;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.impl.StdSchedulerFactory;

/**
 * Quartz with JobStoreTX on PostgreSQL: N jobs with a cron trigger, and a handler that does nothing.
 *
 * <p>The protocol is that of {@code bench/round.py}. Quartz records in its store which trigger has fired and when it
 * fires next, but not what came of it, so the handler is the only witness.
 */
public final class Fires implements Job {
    private static final int SAVED_PER_SECOND = 250;
    private static final ConcurrentLinkedQueue<String> CALLS = new ConcurrentLinkedQueue<>();
    private static final boolean LOSE = "1".equals(System.getenv("PEER_LOSE"));
    private static final AtomicBoolean LOST = new AtomicBoolean();
    private static volatile long from = Long.MAX_VALUE;

    @Override
    public void execute(JobExecutionContext context) throws JobExecutionException {
        double start = now();
        String schedule = context.getJobDetail().getKey().getName();
        if (LOSE && schedule.equals("0") && start >= from && LOST.compareAndSet(false, true)) {
            throw new JobExecutionException("one fire has to get lost");
        }
        JobDataMap data = context.getMergedJobDataMap();
        long due = data.containsKey("call")
                ? data.getInt("call")
                : context.getScheduledFireTime().getTime();
        CALLS.add(schedule + "," + due + "," + start);
    }

    private static double now() {
        java.time.Instant now = java.time.Instant.now();
        return now.getEpochSecond() * 1e3 + now.getNano() / 1e6;
    }

    public static void main(String[] args) throws Exception {
        String mode = System.getenv("PEER_MODE");
        int number = Integer.parseInt(System.getenv("PEER_N"));
        String url = "jdbc:" + System.getenv("PEER_URL").replace("peers@", "") + "?user=peers";
        createTables(url);
        Scheduler scheduler = new StdSchedulerFactory(settings(url)).getScheduler();
        long begin = 0;
        if (mode.equals("starts")) {
            JobDetail job = JobBuilder.newJob(Fires.class).withIdentity("0").storeDurably().build();
            scheduler.addJob(job, true);
        } else {
            begin = save(scheduler, number, mode.equals("due") ? "0/5 * * * * ?" : "* * * * * ?");
        }
        scheduler.start();
        Thread.sleep(Math.max(0, begin - System.currentTimeMillis()));
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        String[] window = lines.readLine().split(" ");
        from = Long.parseLong(window[1]);
        if (mode.equals("starts")) {
            callFor(scheduler, number, Long.parseLong(window[2]));
        }
        boolean stopped = "stop".equals(lines.readLine());
        Path path = Path.of(System.getenv("PEER_OUT"), "calls-" + ProcessHandle.current().pid() + ".csv");
        try (PrintWriter file = new PrintWriter(path.toFile())) {
            CALLS.forEach(call -> file.print(call + "\n"));
        }
        // Without waiting for a backlog, which does not count.
        Runtime.getRuntime().halt(stopped ? 0 : 1);
    }

    private static Properties settings(String url) {
        String threads = System.getenv().getOrDefault("PEER_CONCURRENCY", "50");
        String batch = System.getenv().getOrDefault("PEER_BATCH", "50");
        Properties settings = new Properties();
        settings.setProperty("org.quartz.scheduler.instanceName", "peers");
        settings.setProperty("org.quartz.scheduler.skipUpdateCheck", "true");
        settings.setProperty("org.quartz.scheduler.batchTriggerAcquisitionMaxCount", batch);
        settings.setProperty("org.quartz.threadPool.class", "org.quartz.simpl.SimpleThreadPool");
        settings.setProperty("org.quartz.threadPool.threadCount", threads);
        settings.setProperty("org.quartz.jobStore.class", "org.quartz.impl.jdbcjobstore.JobStoreTX");
        settings.setProperty(
                "org.quartz.jobStore.driverDelegateClass", "org.quartz.impl.jdbcjobstore.PostgreSQLDelegate");
        settings.setProperty("org.quartz.jobStore.dataSource", "peers");
        settings.setProperty("org.quartz.jobStore.isClustered", System.getenv().getOrDefault("PEER_CLUSTERED", "false"));
        // Needed with batches, which are never larger than the number of idle threads.
        settings.setProperty("org.quartz.jobStore.acquireTriggersWithinLock", "true");
        settings.setProperty("org.quartz.dataSource.peers.provider", "hikaricp");
        settings.setProperty("org.quartz.dataSource.peers.driver", "org.postgresql.Driver");
        settings.setProperty("org.quartz.dataSource.peers.URL", url);
        settings.setProperty("org.quartz.dataSource.peers.user", "peers");
        settings.setProperty("org.quartz.dataSource.peers.password", "");
        settings.setProperty("org.quartz.dataSource.peers.maxConnections", String.valueOf(Integer.parseInt(threads) + 5));
        return settings;
    }

    /** The tables, from the script in Quartz's own package. */
    private static void createTables(String url) throws Exception {
        String script;
        try (var stream = Job.class.getResourceAsStream("/org/quartz/impl/jdbcjobstore/tables_postgres.sql")) {
            script = new String(stream.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        }
        try (var connection = DriverManager.getConnection(url); var statement = connection.createStatement()) {
            statement.execute(script);
        }
    }

    /** Saves the jobs, and returns when they begin to fire. */
    private static long save(Scheduler scheduler, int number, String cron) throws Exception {
        Date start = new Date(System.currentTimeMillis() + 2_000 + 1_000L * number / SAVED_PER_SECOND);
        var all = new HashMap<JobDetail, Set<? extends Trigger>>();
        for (int n = 0; n < number; n++) {
            Trigger trigger = TriggerBuilder.newTrigger()
                    .withIdentity(String.valueOf(n))
                    .startAt(start)
                    // A late fire is carried out.
                    .withSchedule(CronScheduleBuilder.cronSchedule(cron).withMisfireHandlingInstructionIgnoreMisfires())
                    .build();
            all.put(JobBuilder.newJob(Fires.class).withIdentity(String.valueOf(n)).build(), Set.of(trigger));
        }
        scheduler.scheduleJobs(all, true);
        long late = System.currentTimeMillis() - start.getTime();
        if (late > 0) {
            System.out.println("note: saving took " + late + " ms longer than expected; the run begins with a backlog");
        }
        return start.getTime();
    }

    /** Starts the job from callers, each after its last answer, until the end of the run. */
    private static void callFor(Scheduler scheduler, int callers, long until) throws Exception {
        Thread.sleep(Math.max(0, from - System.currentTimeMillis()));
        AtomicInteger next = new AtomicInteger();
        CountDownLatch ended = new CountDownLatch(callers);
        JobKey job = JobKey.jobKey("0");
        for (int n = 0; n < callers; n++) {
            new Thread(() -> {
                try {
                    while (System.currentTimeMillis() < until) {
                        int call = next.getAndIncrement();
                        JobDataMap data = new JobDataMap();
                        data.put("call", call);
                        scheduler.triggerJob(job, data);
                        CALLS.add("-1," + call + "," + now());
                    }
                } catch (Exception error) {
                    error.printStackTrace();
                    Runtime.getRuntime().halt(1);
                }
                ended.countDown();
            }).start();
        }
        ended.await();
    }
}
