#include "net/gateway.hh"

#include "sys/path.hh"
#include "sys/socket.hh"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

namespace ap {

namespace {

LedgerOptions ledger_options(const GateConfig &config)
{
    LedgerOptions options;
    options.wait_limit = config.budget_wait;
    return options;
}

GateSetup set_up(GateConfig config)
{
    std::string path = config.prices;
    if (path.empty() && path_exists(AP_DATADIR "/prices.json")) {
        path = AP_DATADIR "/prices.json";
    }
    return {std::make_shared<const GateConfig>(std::move(config)),
            std::make_shared<const PriceList>(path.empty() ? PriceList()
                                                           : PriceList::load(path))};
}

// Only clients that come by TCP are spoken to in TLS.
std::vector<bool> with_tls(const std::vector<Fd> &listening, const GateConfig &config)
{
    const bool has_certificate = config.tcp && !config.tcp->certificate.empty();
    std::vector<bool> with;
    with.reserve(listening.size());
    for (const Fd &socket : listening) {
        with.push_back(has_certificate && local_port(socket.get()) != 0);
    }
    return with;
}

} // namespace

// A loop that is not the caller's.
struct Gateway::Thread
{
    Thread(GateShared &shared, size_t number, const GateSetup &setup,
           const std::vector<bool> &tls, GateLoop::OnClosed on_closed)
        : loop(shared, number, setup, tls, poll, std::move(on_closed))
    {
    }
    ~Thread() { stop(); }
    Thread(const Thread &) = delete;
    Thread &operator=(const Thread &) = delete;

    void stop()
    {
        ending = true;
        loop.post([] {});
        if (thread.joinable()) {
            thread.join();
        }
    }

    std::atomic<bool> ending = false;
    std::atomic<bool> had_turn = true; // since is_alive()
    PollSet poll;
    GateLoop loop;
    std::thread thread;
};

Gateway::Gateway(const StatePaths &paths, GateConfig config, std::vector<Fd> listening,
                 PollSet &poll)
    : shared_(paths, ledger_options(config), config.loops)
{
    const std::vector<bool> tls = with_tls(listening, config);
    const GateSetup setup = set_up(std::move(config));
    const size_t loops = setup.config->loops;
    own_.emplace(shared_, 0, setup, tls, poll, on_closed(0));
    shared_.loops.push_back(&*own_);
    for (size_t number = 1; number < loops; number++) {
        threads_.push_back(
            std::make_unique<Thread>(shared_, number, setup, tls, on_closed(number)));
        shared_.loops.push_back(&threads_.back()->loop);
    }
    acceptor_.emplace(std::move(listening), poll, setup.config->connections, loops,
                      [this](size_t taker, size_t listener, Fd connection) {
                          give(taker, listener, std::move(connection));
                      });
    poll.watch(shared_.ledger.answers_fd(), true, false);
    start_threads();
}

Gateway::~Gateway()
{
    cut();
}

void Gateway::start_threads()
{
    for (const auto &thread : threads_) {
        thread->thread = std::thread([this, &thread = *thread] { work(thread); });
    }
}

// What goes wrong there is for the caller to hear.
void Gateway::work(Thread &thread)
{
    try {
        while (!thread.ending) {
            for (const PollSet::Ready &ready : thread.poll.wait(thread.loop.timeout())) {
                thread.loop.take_ready(ready);
            }
            thread.loop.run();
        }
    } catch (...) {
        own_->post([error = std::current_exception()] { std::rethrow_exception(error); });
    }
}

// The caller's loop has what is asked of it done at once; another's thread is told.
void Gateway::give(size_t loop, size_t listener, Fd connection)
{
    if (loop == 0) {
        own_->adopt(listener, std::move(connection));
        return;
    }
    GateLoop &other = *shared_.loops[loop];
    const auto kept = std::make_shared<Fd>(std::move(connection)); // calls are copied
    other.post([&other, listener, kept] { other.adopt(listener, std::move(*kept)); });
}

// The acceptor may wait for a place, and the end of a drain for the last call.
GateLoop::OnClosed Gateway::on_closed(size_t loop)
{
    return [this, loop](uint64_t count) {
        const bool has_place = acceptor_->closed(loop, count);
        if (loop != 0 && (has_place || shared_.figures[loop].drained)) {
            own_->post([] {});
        }
    };
}

void Gateway::take_ready(const PollSet::Ready &ready)
{
    if (ready.fd == shared_.ledger.answers_fd()) {
        take_answers();
    } else if (!acceptor_->take_ready(ready.fd)) {
        own_->take_ready(ready);
    }
}

std::optional<std::chrono::milliseconds> Gateway::timeout() const
{
    return shorter(own_->timeout(), acceptor_->timeout());
}

void Gateway::run()
{
    own_->run();
    acceptor_->run();
}

void Gateway::take_answers()
{
    for (const Admission &admission : shared_.ledger.take_answers()) {
        GateLoop &loop = shared_.loop_of(admission.tag);
        if (&loop == &*own_) {
            loop.take_admission(admission);
        } else {
            loop.post([&loop, admission] { loop.take_admission(admission); });
        }
    }
}

void Gateway::configure(GateConfig config)
{
    const GateSetup setup = set_up(std::move(config));
    shared_.queues.set_limits(setup.config->providers);
    each_loop([setup](GateLoop &loop) { loop.configure(setup); });
}

void Gateway::drain()
{
    shared_.draining = true;
    acceptor_->close();
    each_loop([](GateLoop &loop) { loop.drain(); });
}

void Gateway::each_loop(const std::function<void(GateLoop &)> &work)
{
    for (const auto &thread : threads_) {
        thread->loop.post([&loop = thread->loop, work] { work(loop); });
    }
    work(*own_);
}

bool Gateway::idle() const noexcept
{
    return std::all_of(shared_.figures.begin(), shared_.figures.end(),
                       [](const auto &loop) { return loop.drained.load(); });
}

bool Gateway::is_alive()
{
    bool all = true;
    for (const auto &thread : threads_) {
        if (!thread->had_turn) {
            all = false;
            continue;
        }
        thread->had_turn = false;
        thread->loop.post([&thread = *thread] { thread.had_turn = true; });
    }
    return all;
}

void Gateway::cut()
{
    if (!own_) {
        return;
    }
    acceptor_->close();
    for (const auto &thread : threads_) {
        thread->stop(); // all of them, as they leave each other calls
    }
    threads_.clear();
    own_.reset();
}

} // namespace ap
