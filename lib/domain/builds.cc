#include "domain/builds.hh"

namespace ap {

std::vector<Build> list_builds(Sqlite &database, std::string_view run_id,
                               std::string_view phase_id)
{
    Statement rows = database.prepare(
        "SELECT number, status, level, model, stage, tokens, failure_class, failure_key, "
        "signature, reason, commit_id, approval_id, started_at FROM builds "
        "WHERE run_id = ?1 AND phase_id = ?2 ORDER BY number");
    rows.bind_all(run_id, phase_id);
    std::vector<Build> builds;
    while (rows.step()) {
        Build build;
        build.run_id = run_id;
        build.phase_id = phase_id;
        build.number = rows.integer(0);
        build.status = rows.text(1);
        build.level = rows.integer(2);
        build.model = rows.text(3);
        build.stage = static_cast<BuildStage>(rows.integer(4));
        build.tokens = rows.integer(5);
        build.failure = {std::string(rows.text(6)), std::string(rows.text(7)),
                         std::string(rows.text(8)), std::string(rows.text(9))};
        build.commit_id = rows.text(10);
        build.approval_id = rows.optional_integer(11);
        build.started_at = rows.integer(12);
        builds.push_back(std::move(build));
    }
    return builds;
}

Build open_build(Sqlite &database, std::string_view run_id, std::string_view phase_id,
                 int64_t level, std::string_view model, const Clock &clock)
{
    Build build;
    build.run_id = run_id;
    build.phase_id = phase_id;
    build.status = "OPEN";
    build.level = level;
    build.model = model;
    build.started_at = clock.now();
    Statement insert = database.prepare(
        "INSERT INTO builds (run_id, phase_id, number, level, model, started_at) "
        "SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4, ?5 FROM builds "
        "WHERE run_id = ?1 AND phase_id = ?2 RETURNING number");
    insert.bind_all(run_id, phase_id, level, model, build.started_at);
    insert.step();
    build.number = insert.integer(0);
    insert.run();
    return build;
}

void note_build(Sqlite &database, const Build &build)
{
    database
        .prepare("UPDATE builds SET stage = ?4, tokens = ?5, approval_id = ?6, "
                 "model = ?7 WHERE run_id = ?1 AND phase_id = ?2 AND number = ?3 "
                 "AND status = 'OPEN'")
        .bind_all(build.run_id, build.phase_id, build.number,
                  static_cast<int64_t>(build.stage), build.tokens, build.approval_id,
                  build.model)
        .run();
}

void end_build(Sqlite &database, Build &build, std::string_view status,
               const Clock &clock)
{
    build.status = status;
    const BuildFailure &failure = build.failure;
    database
        .prepare("UPDATE builds SET status = ?4, stage = ?5, tokens = ?6, "
                 "failure_class = ?7, failure_key = ?8, signature = ?9, reason = ?10, "
                 "commit_id = ?11, ended_at = ?12 WHERE run_id = ?1 AND phase_id = ?2 "
                 "AND number = ?3 AND status = 'OPEN'")
        .bind_all(build.run_id, build.phase_id, build.number, status,
                  static_cast<int64_t>(build.stage), build.tokens, failure.failure_class,
                  failure.key, failure.signature, failure.reason, build.commit_id,
                  clock.now())
        .run();
}

void note_build_approval(Sqlite &database, const Build &build)
{
    database
        .prepare("UPDATE builds SET approval_id = ?4 WHERE run_id = ?1 "
                 "AND phase_id = ?2 AND number = ?3")
        .bind_all(build.run_id, build.phase_id, build.number, build.approval_id)
        .run();
}

std::vector<std::string> phases_with_failure(Sqlite &database,
                                             std::string_view failure_class,
                                             std::string_view key, int64_t limit)
{
    Statement rows = database.prepare(
        "SELECT run_id || '/' || phase_id FROM builds INDEXED BY builds_by_failure "
        "WHERE status = 'FAILED' AND failure_class = ?1 AND failure_key = ?2 "
        "GROUP BY run_id, phase_id ORDER BY min(started_at), run_id, phase_id LIMIT ?3");
    rows.bind_all(failure_class, key, limit);
    std::vector<std::string> phases;
    while (rows.step()) {
        phases.emplace_back(rows.text(0));
    }
    return phases;
}

} // namespace ap
