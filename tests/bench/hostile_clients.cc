// Clients of ap-serve that no server wants: followers of events, slow ones that send a
// header a byte at a time for ever, and each second malformed requests, oversized ones,
// noise and bursts of pipelined ones; until standard input ends. Then prints one JSON
// object of how often each was answered or hung up on, and the processor time it took.
// Of three followers all that comes is read, to know whether an event is missing: all
// others are sent the same.
//
// Attackers use machines of their own, so this one is to cost little: one static process
// of the lowest priority that does what is due every 5 ms at once, as a network card
// gathers interrupts, and throws away in the kernel what it does not look at. What it
// costs nevertheless can be had without the attack: with --instead it connects to nobody
// and uses so much processor time.

#include "event_reader.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "cli/tool.hh"
#include "sys/fd.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <set>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Nanoseconds = int64_t;

constexpr ap::Option options[] = {
    {0, "instead", "US", "attack nobody: use so many us of processor time a second"},
    {0, "only-follow", {}, "only follow events"},
    {0, "plain", {}, "follow without compression, which each browser asks for"},
};

constexpr ap::ToolSpec spec = {.name = "hostile_clients",
                               .summary = "attack the server at 127.0.0.1",
                               .options = options,
                               .operands = "PORT",
                               .least = 1,
                               .most = 1};

constexpr Nanoseconds second = 1'000'000'000;
constexpr int ticks = 200; // a second
constexpr size_t followers = 500;
constexpr size_t followers_read = 3;
constexpr size_t slow_clients = 200;
constexpr size_t slow_each_tick = 5; // every one of them sends 5 bytes a second
constexpr int ticks_between = 10;    // requests of one kind: 20 a second
constexpr int warm_up = ticks;
constexpr int patience = 5 * ticks; // for an answer
constexpr size_t burst = 16;

const std::string get_health = "GET /health HTTP/1.1\r\nHost: localhost\r\n";

std::string repeated(std::string_view text, size_t count)
{
    std::string all;
    for (size_t i = 0; i < count; i++) {
        all += text;
    }
    return all;
}

const std::string follow_request =
    "GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n";
const std::string as_browsers_do = "Accept-Encoding: gzip, deflate, br\r\n\r\n";
const std::string slow_request = get_health + "X-Slow: " + std::string(4000, 's');

const std::vector<std::string> malformed = {
    "GET\r\n\r\n",
    "GET /health\r\n\r\n",
    "GET /health HTTP/9.9\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
    get_health + "Content-Length: -1\r\n\r\n",
    get_health + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    "Content-Length: 6\r\n\r\nname=x",
    "GET /../../etc/passwd%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /api/runs?cursor=%ff%fe&limit=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) +
        std::string(64, '\0'),
};

const std::vector<std::string> oversized = {
    "GET /" + std::string(65536, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
    get_health + "X-Long: " + std::string(131072, 'a') + "\r\n\r\n",
    get_health + repeated("X-Many: 1\r\n", 10000) + "\r\n",
    "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n" +
        std::string(1048576, 'a'),
};

const std::vector<std::string> pipelined = {
    repeated(get_health + "\r\n", burst - 1) +
    "GET /dashboard HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"};

// What a clock shows.
Nanoseconds time_of(clockid_t clock)
{
    timespec now = {};
    if (clock_gettime(clock, &now) != 0) {
        ap::throw_errno("cannot read a clock");
    }
    return now.tv_sec * second + now.tv_nsec;
}

void sleep_until(Nanoseconds moment)
{
    const timespec until = {moment / second, moment % second};
    // Interrupted it comes early, which is as well.
    static_cast<void>(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr));
}

bool has_ended(int fd)
{
    pollfd input = {fd, POLLIN, 0};
    return poll(&input, 1, 0) > 0;
}

// A connection to the server that sends a request as fast as the server takes it.
struct Client
{
    ap::Fd socket;
    std::string kind;
    std::string request{};
    size_t sent = 0;
    bool counts_answers = false;
    size_t answers = 0;
    std::shared_ptr<bench::EventReader> events{}; // of a follower that is read
    std::string tail{}; // of what came, as long as the beginning of an answer may be
    int heard = 0;      // the tick at which something last came
    bool over = false;
};

class Clients
{
public:
    Clients(uint16_t port, bool only_follow, bool plain)
        : port_(port)
        , only_follow_(only_follow)
        , epoll_(epoll_create1(EPOLL_CLOEXEC))
        , chance_(port)
    {
        if (!epoll_) {
            ap::throw_errno("cannot make an epoll descriptor");
        }
        for (size_t i = 0; i < followers; i++) {
            Client *const client =
                open("follower", follow_request + (plain ? "\r\n" : as_browsers_do));
            if (i < followers_read) {
                client->events = std::make_shared<bench::EventReader>();
                readers_.push_back(client->events);
            }
        }
        for (size_t i = 0; i < slow_clients && !only_follow; i++) {
            slow_.push_back(open("slow", ""));
        }
    }

    // What is due in this 200th of a second.
    void work(int tick)
    {
        now_ = tick;
        hear();
        if (!only_follow_) {
            attack();
        }
        give_up();
        for (Client *const client : over_) {
            end(*client);
        }
        over_.clear();
    }

    std::map<std::string, int64_t> counts() const
    {
        auto counts = counts_;
        for (const auto &reader : readers_) {
            counts["events read"] += reader->heard();
            counts["events missed"] += reader->missed();
            counts["followers read, compressed"] += reader->compressed() ? 1 : 0;
        }
        return counts;
    }

private:
    void attack()
    {
        send_slowly();
        switch (now_ % ticks_between) {
        case 0:
            ask("malformed", any_of(malformed));
            break;
        case 2:
            ask("garbage", noise());
            break;
        case 5:
            ask("oversized", any_of(oversized));
            break;
        case 7:
            ask("pipelined", any_of(pipelined));
            break;
        default:
            break;
        }
    }

    const std::string &any_of(const std::vector<std::string> &requests)
    {
        return requests.at(chance_() % requests.size());
    }

    std::string noise()
    {
        std::string bytes(1 + chance_() % 2000, '\0');
        std::generate(bytes.begin(), bytes.end(),
                      [this] { return static_cast<char>(chance_()); });
        return bytes;
    }

    Client *open(const std::string &kind, std::string request)
    {
        ap::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (!socket || (connect(socket.get(), reinterpret_cast<sockaddr *>(&address),
                                sizeof address) != 0 &&
                        errno != EINPROGRESS)) {
            ap::throw_errno("cannot connect");
        }
        auto client = std::make_unique<Client>();
        client->socket = std::move(socket);
        client->kind = kind;
        client->request = std::move(request);
        client->heard = now_;
        epoll_event event = {};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.ptr = client.get();
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->socket.get(), &event) != 0) {
            ap::throw_errno("cannot watch a client");
        }
        Client *const opened = client.get();
        clients_[opened] = std::move(client);
        return opened;
    }

    void ask(const std::string &kind, const std::string &request)
    {
        Client *const client = open(kind, request);
        client->counts_answers = true;
        asking_.insert(client);
    }

    void hear()
    {
        std::array<epoll_event, 1024> events{};
        const int ready = epoll_wait(epoll_.get(), events.data(), events.size(), 0);
        for (int i = 0; i < ready; i++) {
            Client &client =
                *static_cast<Client *>(events.at(static_cast<size_t>(i)).data.ptr);
            send(client);
            receive(client);
        }
    }

    static void send(Client &client)
    {
        const std::string &request = client.request;
        while (client.sent < request.size()) {
            const ssize_t count =
                ::send(client.socket.get(), request.data() + client.sent,
                       request.size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count <= 0) {
                return; // what became of it is found out by receiving
            }
            client.sent += static_cast<size_t>(count);
        }
    }

    void receive(Client &client)
    {
        // Without a copy (MSG_TRUNC) where nobody looks at it.
        const bool is_read = client.counts_answers || client.events;
        const int flags = MSG_DONTWAIT | (is_read ? 0 : MSG_TRUNC);
        ssize_t count = 0;
        while ((count = recv(client.socket.get(), buffer_.data(), buffer_.size(),
                             flags)) > 0) {
            client.heard = now_;
            if (client.counts_answers) {
                count_answers(client, {buffer_.data(), static_cast<size_t>(count)});
            } else if (client.events) {
                client.events->feed({buffer_.data(), static_cast<size_t>(count)});
            }
        }
        if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            set_over(client);
        }
    }

    // Until the end of the tick it is only known to be over.
    void set_over(Client &client)
    {
        if (!std::exchange(client.over, true)) {
            over_.push_back(&client);
        }
    }

    static void count_answers(Client &client, std::string_view piece)
    {
        constexpr std::string_view beginning = "HTTP/1.";
        const std::string text = client.tail + std::string(piece);
        for (size_t at = text.find(beginning); at != std::string::npos;
             at = text.find(beginning, at + 1)) {
            client.answers++;
        }
        client.tail =
            text.substr(text.size() - std::min(text.size(), beginning.size() - 1));
    }

    void end(Client &client)
    {
        if (client.kind == "follower") {
            counts_["followers that were hung up on"]++;
        } else if (client.kind == "slow") {
            counts_["slow clients that were hung up on"]++;
            *std::find(slow_.begin(), slow_.end(), &client) = open("slow", "");
        } else {
            counts_[client.kind + (client.answers > 0 ? ", answered" : ", hung up on")]++;
            if (client.kind == "pipelined" && client.answers != burst) {
                counts_["pipelined, not all answered"]++;
            }
        }
        asking_.erase(&client);
        clients_.erase(&client);
    }

    // The slow ones take turns.
    void send_slowly()
    {
        for (size_t i = 0; i < slow_each_tick; i++) {
            Client &client = *slow_.at(turn_++ % slow_.size());
            const std::string_view rest =
                std::string_view(slow_request).substr(client.sent, 1);
            if (rest.empty()) {
                set_over(client); // it starts again
            } else if (::send(client.socket.get(), rest.data(), 1,
                              MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
                client.sent++;
            }
        }
    }

    void give_up()
    {
        for (Client *const client : asking_) {
            if (now_ - client->heard > patience) {
                set_over(*client);
            }
        }
    }

    uint16_t port_;
    bool only_follow_;
    ap::Fd epoll_;
    std::minstd_rand chance_; // the same each time
    int now_ = 0;
    size_t turn_ = 0;
    std::map<Client *, std::unique_ptr<Client>> clients_;
    std::vector<std::shared_ptr<bench::EventReader>> readers_;
    std::vector<Client *> slow_;
    std::set<Client *> asking_;
    std::vector<Client *> over_;
    std::vector<char> buffer_ = std::vector<char>(1 << 18);
    std::map<std::string, int64_t> counts_;
};

// Does `work` with the number of each tick until standard input ends, after a second in
// which it warms up. The processor time it took, in us a second.
template <typename Work>
int64_t keep_at(const Work &work)
{
    Nanoseconds begun = 0;
    Nanoseconds used = 0;
    Nanoseconds due = time_of(CLOCK_MONOTONIC);
    for (int tick = 0; tick < warm_up || !has_ended(STDIN_FILENO); tick++) {
        if (tick == warm_up) {
            std::puts("under way");
            static_cast<void>(std::fflush(stdout));
            begun = time_of(CLOCK_MONOTONIC);
            used = time_of(CLOCK_PROCESS_CPUTIME_ID);
        }
        work(tick);
        // What was missed on a busy machine is not made up for.
        due = std::max(due + second / ticks, time_of(CLOCK_MONOTONIC));
        sleep_until(due);
    }
    const Nanoseconds length = time_of(CLOCK_MONOTONIC) - begun;
    return (time_of(CLOCK_PROCESS_CPUTIME_ID) - used) * 1000 / (length / 1000);
}

int64_t use_processor(int64_t microseconds)
{
    const Nanoseconds each = microseconds * 1000 / ticks;
    Nanoseconds used = time_of(CLOCK_PROCESS_CPUTIME_ID);
    return keep_at([&](int) {
        used += each;
        while (time_of(CLOCK_PROCESS_CPUTIME_ID) < used) {
        }
    });
}

ap::ExitStatus run(const ap::Arguments &arguments)
{
    const auto port = ap::require_integer(arguments.operand(0), 1, 65535, "PORT");
    if (setpriority(PRIO_PROCESS, 0, 19) != 0) {
        ap::throw_errno("cannot lower the priority");
    }
    std::map<std::string, int64_t> counts;
    int64_t used = 0;
    if (const auto instead = arguments.integer("instead", 0, 900'000)) {
        used = use_processor(*instead);
    } else {
        Clients clients(static_cast<uint16_t>(port), arguments.has("only-follow"),
                        arguments.has("plain"));
        used = keep_at([&](int tick) { clients.work(tick); });
        counts = clients.counts();
    }
    std::printf("{\"processor\": %lld, \"counts\": {", static_cast<long long>(used));
    const char *separator = "";
    for (const auto &[what, count] : counts) {
        std::printf("%s\"%s\": %lld", std::exchange(separator, ", "), what.c_str(),
                    static_cast<long long>(count));
    }
    std::puts("}}");
    return ap::ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, run);
}
