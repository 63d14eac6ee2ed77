#include "domain/batch_job.hh"

#include "domain/state.hh"
#include "wrap/json.hh"

namespace ap {

namespace {

constexpr size_t longest_part = 96;
constexpr size_t lease_digits = 16;

} // namespace

std::string batch_job_name(const Lease &lease)
{
    return "autopack:" + lease.run_id.substr(0, longest_part) + "/" +
           lease.phase.id.substr(0, longest_part) + "/" + std::to_string(lease.number) +
           "/" + lease.token.substr(0, lease_digits);
}

void announce_batch_job(Sqlite &database, const Lease &lease)
{
    database
        .prepare("INSERT INTO batch_jobs (attempt_id, launcher, name) "
                 "VALUES (?1, 'slurm', ?2)")
        .bind_all(lease.attempt_id, batch_job_name(lease))
        .run();
}

void record_batch_job(Sqlite &database, const Lease &lease, std::string_view job_id)
{
    database.prepare("UPDATE batch_jobs SET job_id = ?2 WHERE attempt_id = ?1")
        .bind_all(lease.attempt_id, job_id)
        .run();
    append_event(database, "attempt.job", lease.run_id, lease.phase.id, lease.number,
                 Json::object().set("launcher", "slurm").set("job_id", job_id).dump());
}

std::vector<BatchJob> adopt_batch_jobs(Sqlite &database, std::string_view run_id,
                                       int64_t executor_id)
{
    Transaction transaction(database);
    Statement query = database.prepare(
        "SELECT a.attempt_id, j.name, j.job_id, a.usage_read FROM attempts a "
        "JOIN batch_jobs j USING (attempt_id) JOIN executors e USING (executor_id) "
        "WHERE a.run_id = ?1 AND a.ended_at IS NULL AND e.ended_at IS NOT NULL");
    query.bind_all(run_id);
    std::vector<BatchJob> jobs;
    while (query.step()) {
        jobs.push_back({lease_of_attempt(database, query.integer(0)),
                        std::string(query.text(1)), query.optional_text(2),
                        query.integer(3)});
    }
    for (const BatchJob &job : jobs) {
        database.prepare("UPDATE attempts SET executor_id = ?2 WHERE attempt_id = ?1")
            .bind_all(job.lease.attempt_id, executor_id)
            .run();
    }
    transaction.commit();
    return jobs;
}

bool has_open_batch_jobs(Sqlite &database, std::string_view run_id)
{
    Statement query =
        database.prepare("SELECT 1 FROM attempts a JOIN batch_jobs USING (attempt_id) "
                         "WHERE a.run_id = ?1 AND a.ended_at IS NULL LIMIT 1");
    query.bind_all(run_id);
    return query.step();
}

} // namespace ap
