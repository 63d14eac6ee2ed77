#include "domain/gateway_ledger.hh"

#include "domain/gateway_books.hh"
#include "domain/gateway_recovery.hh"
#include "domain/gateway_writer.hh"
#include "sys/fd.hh"
#include "sys/path.hh"

#include <condition_variable>
#include <mutex>
#include <sys/eventfd.h>
#include <thread>

namespace ap {

namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto wait_poll = 50ms;    // others may have raised a cap or released something
constexpr auto retry_pause = 100ms; // after the database could not be written
constexpr auto patience = 2s;       // with that, for calls that wait
constexpr size_t large_batch = 1024;

Fd make_event_fd()
{
    Fd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) {
        throw_errno("cannot make an event counter");
    }
    return fd;
}

Sqlite open_books(const StatePaths &paths, const Clock &clock)
{
    Sqlite database = open_database(paths, State::Access::Write);
    database.execute("PRAGMA foreign_keys = ON");
    database.execute("PRAGMA synchronous = FULL");
    make_directories(paths.runs);
    reconcile_gateways(database, gateway_journal_path(paths), clock);
    return database;
}

} // namespace

class GatewayLedger::Impl
{
public:
    Impl(const StatePaths &paths, const LedgerOptions &options)
        : options_(options)
        , database_(open_books(paths, clock_))
        , writer_(database_, clock_)
        , journal_(gateway_journal_path(paths), options.slots)
        , books_(journal_, options)
        , answers_fd_(make_event_fd())
        , outputs_(writer_.largest_outputs())
    {
        books_.ratios.load(database_);
        journal_.begin(writer_.begin_gateway());
        thread_ = std::thread([this] { work(); });
    }

    ~Impl()
    {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    Impl(const Impl &) = delete;
    Impl &operator=(const Impl &) = delete;

    Admission admit(const LedgerCall &call)
    {
        const UnixMs at = clock_.now();
        const std::lock_guard lock(mutex_);
        Admission admission = books_.admit(call, Steady::now(), at);
        after_change();
        return admission;
    }

    std::vector<Admission> take_answers()
    {
        const std::lock_guard lock(mutex_);
        eventfd_t count = 0;
        eventfd_read(answers_fd_.get(), &count);
        answers_told_ = false;
        return std::exchange(books_.answers, {});
    }

    int answers_fd() const noexcept { return answers_fd_.get(); }

    // For what nobody can be waiting for.
    template <typename Work>
    auto with_books(const Work &work)
    {
        const std::lock_guard lock(mutex_);
        return work(books_);
    }

    bool observe(CallId call, const MeterProgress &progress) noexcept
    {
        const std::lock_guard lock(mutex_);
        const bool covered = books_.observe(call, progress);
        after_change();
        return covered;
    }

    void settle(CallId call, const Usage &usage, int64_t cache_write_long) noexcept
    {
        const UnixMs at = clock_.now();
        const std::lock_guard lock(mutex_);
        books_.settle(call, usage, cache_write_long, at);
        after_change();
    }

    void cancel(CallId call) noexcept
    {
        const std::lock_guard lock(mutex_);
        books_.cancel(call);
        after_change();
    }

    int64_t largest_output(std::string_view model) const
    {
        const std::lock_guard lock(mutex_);
        const auto found = outputs_.find(model);
        return found == outputs_.end() ? 0 : found->second;
    }

    void flush(std::chrono::milliseconds limit)
    {
        std::unique_lock lock(mutex_);
        const int64_t wanted = books_.counts.settled;
        flushing_ = true;
        wake_.notify_one();
        if (!written_.wait_for(lock, limit, [&] { return written_count_ >= wanted; })) {
            throw Error(ExitStatus::TryAgain,
                        "usage is not durable yet" +
                            (trouble_.empty() ? "" : ": " + trouble_));
        }
    }

    LedgerStatus status() const
    {
        const std::lock_guard lock(mutex_);
        LedgerStatus status = books_.counts;
        status.in_flight = books_.in_flight();
        status.waiting = books_.waiting();
        status.unwritten = books_.counts.settled - written_count_;
        status.accounts = static_cast<int64_t>(books_.account_count());
        status.commits = commits_;
        status.trouble = trouble_;
        return status;
    }

private:
    LedgerOptions options_;
    SystemClock clock_;
    Sqlite database_;
    GatewayWriter writer_;

    mutable std::mutex mutex_; ///< guards what follows
    GatewayJournal journal_;
    GatewayBooks books_;
    Fd answers_fd_;
    bool answers_told_ = false;
    bool stop_ = false;
    bool idle_ = false; ///< the thread sleeps until it is woken
    bool flushing_ = false;
    std::map<std::string, int64_t, std::less<>> outputs_;
    int64_t written_count_ = 0;
    int64_t commits_ = 0;
    std::string trouble_;
    Steady::time_point trouble_since_;
    std::condition_variable wake_;
    std::condition_variable written_;
    std::thread thread_;

    // With the lock held: tells the loop of answers and the thread of work.
    void after_change()
    {
        if (!books_.answers.empty() && !answers_told_) {
            answers_told_ = eventfd_write(answers_fd_.get(), 1) == 0;
        }
        // What is urgent is told though it was woken before: it may be waiting again, for
        // more to settle.
        if (is_urgent() || (idle_ && !books_.settled.empty())) {
            idle_ = false;
            wake_.notify_one();
        }
    }

    bool is_urgent() const
    {
        return stop_ || flushing_ || books_.urgent() ||
               books_.settled.size() >= large_batch;
    }

    void work()
    {
        std::unique_lock lock(mutex_);
        while (!stop_) {
            wait_for_work(lock);
            cycle(lock, false, writer_.is_a_cap_passed(lock, books_));
        }
        books_.end_calls(clock_.now());
        // What cannot be written now is found in the journal by the next start.
        if (cycle(lock, true, false)) {
            end_gateway();
        }
    }

    void end_gateway() noexcept
    {
        try {
            writer_.end_gateway(books_.ratios);
            journal_.end();
        } catch (const Error &) {
            // The next start does it: there is nothing left in the books.
        }
    }

    // Until there is something to do; usage that settled waits for more of it.
    void wait_for_work(std::unique_lock<std::mutex> &lock)
    {
        if (is_urgent()) {
            return;
        }
        if (books_.settled.empty()) {
            idle_ = true;
            const auto ready = [this] { return is_urgent() || !books_.settled.empty(); };
            if (books_.waiting() > 0) {
                wake_.wait_for(lock, wait_poll, ready);
            } else if (books_.has_accounts()) {
                wake_.wait_for(lock, GatewayWriter::cap_poll, ready);
            } else {
                wake_.wait(lock, ready);
            }
        }
        if (!books_.settled.empty() && !is_urgent()) {
            idle_ = true;
            wake_.wait_for(lock, options_.commit_interval,
                           [this] { return is_urgent(); });
        }
        idle_ = false;
    }

    // Writes what there is to write in one transaction; false if that failed.
    bool cycle(std::unique_lock<std::mutex> &lock, bool closing, bool check_caps)
    {
        flushing_ = false;
        std::vector<GatewayAccount *> affected =
            books_.begin_cycle(Steady::now(), closing, check_caps);
        const std::vector<uint32_t> batch = std::exchange(books_.settled, {});
        if (affected.empty() && batch.empty()) {
            return true;
        }
        const std::vector<GatewayCharge> charges = charges_of(batch);
        lock.unlock();
        std::string failure;
        try {
            Transaction transaction(database_);
            writer_.write(lock, books_, charges, affected);
            transaction.commit();
        } catch (const std::exception &error) {
            failure = error.what();
        }
        if (!lock.owns_lock()) {
            lock.lock();
        }
        if (!failure.empty()) {
            undo(lock, batch, affected, failure);
            return false;
        }
        trouble_.clear();
        ++commits_;
        written_count_ += static_cast<int64_t>(batch.size());
        books_.end_cycle(affected);
        books_.free_slots(batch);
        written_.notify_all();
        after_change();
        return true;
    }

    std::vector<GatewayCharge> charges_of(const std::vector<uint32_t> &batch)
    {
        std::vector<GatewayCharge> charges;
        charges.reserve(batch.size());
        for (const uint32_t index : batch) {
            const JournalSlot &slot = journal_.slot(index);
            charges.push_back({&slot, &books_.account_of(index)});
            const std::string_view model = stored_text(slot.model);
            const auto known = outputs_.find(model);
            if (slot.estimated == 0 && slot.completion_tokens > 0 &&
                (known == outputs_.end() || known->second < slot.completion_tokens)) {
                outputs_.insert_or_assign(std::string(model), slot.completion_tokens);
            }
        }
        return charges;
    }

    void undo(std::unique_lock<std::mutex> &lock, const std::vector<uint32_t> &batch,
              const std::vector<GatewayAccount *> &affected, const std::string &failure)
    {
        if (trouble_.empty()) {
            trouble_since_ = Steady::now();
        }
        trouble_ = failure;
        writer_.forget();
        books_.settled.insert(books_.settled.begin(), batch.begin(), batch.end());
        books_.undo_cycle(affected, Steady::now() - trouble_since_ > patience,
                          "the budget database cannot be written: " + failure);
        after_change();
        wake_.wait_for(lock, retry_pause, [this] { return stop_; });
    }
};

GatewayLedger::GatewayLedger(const StatePaths &paths, const LedgerOptions &options)
    : impl_(std::make_unique<Impl>(paths, options))
{
}

GatewayLedger::~GatewayLedger() = default;

Admission GatewayLedger::admit(const LedgerCall &call)
{
    return impl_->admit(call);
}

int GatewayLedger::answers_fd() const noexcept
{
    return impl_->answers_fd();
}

std::vector<Admission> GatewayLedger::take_answers()
{
    return impl_->take_answers();
}

void GatewayLedger::forwarding(CallId call) noexcept
{
    impl_->with_books([&](GatewayBooks &books) { books.forwarding(call); });
}

void GatewayLedger::reroute(CallId call, std::string_view provider) noexcept
{
    impl_->with_books([&](GatewayBooks &books) { books.reroute(call, provider); });
}

void GatewayLedger::answered(CallId call, std::string_view provider_request_id) noexcept
{
    impl_->with_books(
        [&](GatewayBooks &books) { books.answered(call, provider_request_id); });
}

bool GatewayLedger::observe(CallId call, const MeterProgress &progress) noexcept
{
    return impl_->observe(call, progress);
}

void GatewayLedger::settle(CallId call, const Usage &usage,
                           int64_t cache_write_long) noexcept
{
    impl_->settle(call, usage, cache_write_long);
}

void GatewayLedger::cancel(CallId call) noexcept
{
    impl_->cancel(call);
}

int64_t GatewayLedger::largest_output(std::string_view model) const
{
    return impl_->largest_output(model);
}

CallRatios GatewayLedger::ratios_of(Dialect dialect, std::string_view model) const
{
    return impl_->with_books([&](GatewayBooks &books) {
        const CallRatios *found = books.ratios.find(dialect, model);
        return found == nullptr ? CallRatios() : *found;
    });
}

void GatewayLedger::flush(std::chrono::milliseconds limit)
{
    impl_->flush(limit);
}

LedgerStatus GatewayLedger::status() const
{
    return impl_->status();
}

} // namespace ap
