#include "domain/slurm_launcher.hh"

#include "domain/attempt_usage.hh"
#include "domain/job_files.hh"
#include "domain/slurm_phase.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <iterator>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;

// A controller serves many users. Jobs tell of themselves by files; it is asked only for
// what has no such file yet, or will not have one any more.
constexpr auto listing_interval = 5s;

// Slurm's tools try again for a while themselves.
constexpr auto command_limit = 2min;

std::vector<std::string> own_environment()
{
    std::vector<std::string> environment;
    for (char **entry = environ; entry != nullptr && *entry != nullptr; entry++) {
        environment.emplace_back(*entry);
    }
    return environment;
}

} // namespace

std::vector<SlurmJob> SlurmListing::of(std::string_view name) const
{
    std::vector<SlurmJob> found;
    std::copy_if(jobs.begin(), jobs.end(), std::back_inserter(found),
                 [&](const SlurmJob &job) { return job.name == name; });
    return found;
}

SlurmLauncher::SlurmLauncher(const StatePaths &paths, PollLoop &loop, const Clock &clock,
                             const Config &config)
    : paths_(paths)
    , clock_(clock)
    , config_(config)
    , commands_(loop, clock, slurm_environment(), command_limit)
{
}

void SlurmLauncher::announce(Sqlite &database, const Lease &lease)
{
    announce_batch_job(database, lease);
}

std::unique_ptr<LaunchedPhase> SlurmLauncher::start(Lease lease)
{
    const std::string directory = directory_of(lease);
    make_directories(directory, 0700);
    // Of a deleted run of the same name.
    forget_job_state(directory);
    remove_file(usage_files(directory).spool);
    write_job_order({lease, paths_, config_.output_limit, own_environment(),
                     ProcessIdentity::self().boot_id});
    std::string name = batch_job_name(lease);
    return std::make_unique<SlurmPhase>(
        BatchJob{std::move(lease), std::move(name), std::nullopt, 0}, *this,
        SlurmPhase::Begin::Submit);
}

std::unique_ptr<LaunchedPhase> SlurmLauncher::attach(BatchJob job)
{
    return std::make_unique<SlurmPhase>(std::move(job), *this, SlurmPhase::Begin::Attach);
}

SlurmLauncher::Command SlurmLauncher::submit(const BatchJob &job)
{
    return commands_.run(sbatch_call(job, directory_of(job.lease), program_directory()));
}

SlurmLauncher::Command SlurmLauncher::cancel(const BatchJob &job, std::string_view signal)
{
    return commands_.run(scancel_call(job, signal));
}

const SlurmListing *SlurmLauncher::listing(std::chrono::milliseconds after)
{
    const auto now = clock_.monotonic();
    const bool waited = asked_at_ == 0ms || now - asked_at_ >= listing_interval;
    if (!asking_ && listing_.asked_at <= after && waited) {
        asking_ = commands_.run(squeue_call());
        asked_at_ = now;
    }
    return listing_.asked_at > after ? &listing_ : nullptr;
}

void SlurmLauncher::check_time()
{
    commands_.check_time();
    if (asking_ && asking_->ended) {
        take_listing();
    }
}

// One that failed is asked for again after the usual time.
void SlurmLauncher::take_listing()
{
    if (asking_->succeeded()) {
        listing_ = {asked_at_, read_squeue(asking_->output)};
    }
    asking_.reset();
}

std::string SlurmLauncher::directory_of(const Lease &lease) const
{
    return paths_.attempt_directory(lease.run_id, lease.phase.id, lease.number);
}

} // namespace ap
