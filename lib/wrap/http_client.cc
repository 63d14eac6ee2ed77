#include "wrap/http_client.hh"

#include "base/error.hh"
#include "base/http_head.hh"
#include "wrap/request_lines.hh"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <new>
#include <utility>

namespace ap {

namespace {

struct CleanUpEasy
{
    void operator()(CURL *easy) const noexcept { curl_easy_cleanup(easy); }
};

template <typename Value>
void set(CURL *easy, CURLoption option, Value value)
{
    const CURLcode code = curl_easy_setopt(easy, option, value);
    if (code != CURLE_OK) {
        throw Error(ExitStatus::Bug, std::string("libcurl: ") + curl_easy_strerror(code));
    }
}

long sent_bytes(CURL *easy)
{
    long sent = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent;
}

} // namespace

// One easy handle and what it is used for now. It is reused, as are its buffers.
struct HttpClient::Transfer
{
    HttpClient *client = nullptr;
    std::unique_ptr<CURL, CleanUpEasy> easy;
    uint64_t id = 0;
    HttpListener *listener = nullptr;
    HttpTimeouts timeouts;
    TimePoint deadline = never;
    RequestLines lines;
    std::vector<curl_slist> line_list;
    std::string url;
    std::string method;
    HttpHead head;        // of the answer
    bool paused = false;  // asked for
    bool holding = false; // the library holds a piece back
    std::array<char, CURL_ERROR_SIZE> error{};
};

// What the library calls. Exceptions must not pass through it; the first is thrown again
// when it has returned.
struct HttpClient::Callbacks
{
    static size_t header(char *data, size_t, size_t size, void *of) noexcept
    {
        Transfer &transfer = *static_cast<Transfer *>(of);
        const bool heard = transfer.client->failures_.guard([&] {
            if (transfer.listener != nullptr && transfer.head.take_line({data, size})) {
                transfer.client->set_deadline(transfer, transfer.timeouts.idle);
                transfer.listener->on_head(transfer.head.status(),
                                           transfer.head.fields());
            }
        });
        return heard ? size : 0;
    }

    static size_t piece(char *data, size_t, size_t size, void *of) noexcept
    {
        Transfer &transfer = *static_cast<Transfer *>(of);
        if (transfer.paused) {
            transfer.holding = true;
            transfer.deadline = never;
            return CURL_WRITEFUNC_PAUSE;
        }
        const bool heard = transfer.client->failures_.guard([&] {
            if (transfer.listener != nullptr) {
                transfer.client->set_deadline(transfer, transfer.timeouts.idle);
                transfer.listener->on_piece({data, size});
            }
        });
        return heard ? size : 0;
    }

    // Asked each time that a request is about to be sent. The library sends it again when
    // a connection that was used before ends without an answer; but the server may have
    // got it and may be working on it, so only what was not sent is sent anew.
    static int sending(void *of, char *, char *, int, int) noexcept
    {
        const Transfer &transfer = *static_cast<Transfer *>(of);
        return sent_bytes(transfer.easy.get()) == 0 ? CURL_PREREQFUNC_OK
                                                    : CURL_PREREQFUNC_ABORT;
    }

    static int socket(CURL *, curl_socket_t fd, int what, void *self, void *) noexcept
    {
        HttpClient &client = *static_cast<HttpClient *>(self);
        if (what == CURL_POLL_REMOVE) {
            client.sockets_.leave(fd);
        } else {
            client.failures_.guard([&] {
                client.sockets_.watch(fd, (what & CURL_POLL_IN) != 0,
                                      (what & CURL_POLL_OUT) != 0);
            });
        }
        return 0;
    }

    // Of a connection: the library has other sockets, too, which it closes itself.
    static int opened(void *self, curl_socket_t fd, curlsocktype) noexcept
    {
        HttpClient &client = *static_cast<HttpClient *>(self);
        const bool known = client.failures_.guard([&] { client.sockets_.opened(fd); });
        return known ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
    }

    static int close(void *self, curl_socket_t fd) noexcept
    {
        static_cast<HttpClient *>(self)->sockets_.close(fd);
        return 0;
    }

    static int timer(CURLM *, long milliseconds, void *self) noexcept
    {
        static_cast<HttpClient *>(self)->library_due_ =
            milliseconds < 0    ? never
            : milliseconds == 0 ? at_once
                                : Steady::now() + std::chrono::milliseconds(milliseconds);
        return 0;
    }
};

HttpClient::HttpClient(HttpClientConfig config, PollSet *loop)
    : config_(std::move(config))
    , sockets_(loop)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        multi_.reset(curl_multi_init());
    }
    if (!multi_) {
        curl_global_cleanup();
        throw Error(ExitStatus::Unavailable, "cannot start the HTTP client");
    }
    CURLM *multi = multi_.get();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, Callbacks::socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, Callbacks::timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                      static_cast<long>(config_.idle_connections));
}

HttpClient::~HttpClient()
{
    transfers_.each([this](uint64_t, const Transfer &transfer) {
        curl_multi_remove_handle(multi_.get(), transfer.easy.get());
    });
    transfers_ = {};
    multi_.reset();
    curl_global_cleanup();
}

void HttpClient::make(Transfer &transfer)
{
    transfer.client = this;
    transfer.easy.reset(curl_easy_init());
    if (!transfer.easy) {
        throw std::bad_alloc();
    }
    CURL *easy = transfer.easy.get();
    set(easy, CURLOPT_PRIVATE, &transfer);
    set(easy, CURLOPT_ERRORBUFFER, transfer.error.data());
    set(easy, CURLOPT_HEADERFUNCTION, Callbacks::header);
    set(easy, CURLOPT_HEADERDATA, &transfer);
    set(easy, CURLOPT_WRITEFUNCTION, Callbacks::piece);
    set(easy, CURLOPT_WRITEDATA, &transfer);
    set(easy, CURLOPT_PREREQFUNCTION, Callbacks::sending);
    set(easy, CURLOPT_PREREQDATA, &transfer);
    set(easy, CURLOPT_SOCKOPTFUNCTION, Callbacks::opened);
    set(easy, CURLOPT_SOCKOPTDATA, this);
    set(easy, CURLOPT_CLOSESOCKETFUNCTION, Callbacks::close);
    set(easy, CURLOPT_CLOSESOCKETDATA, this);
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_BUFFERSIZE, 8192L); // each transfer has one
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_PROXY, config_.proxy.c_str());
    if (!config_.ca_file.empty()) {
        set(easy, CURLOPT_CAINFO, config_.ca_file.c_str());
    }
}

// The library reads the list, and leaves it to its owner.
const void *HttpClient::header_list(Transfer &transfer, std::span<const HttpField> fields)
{
    transfer.lines.make(fields);
    transfer.line_list.resize(transfer.lines.count());
    curl_slist *next = nullptr;
    for (size_t i = transfer.line_list.size(); i > 0; i--) {
        transfer.line_list[i - 1] = {transfer.lines.line(i - 1), next};
        next = &transfer.line_list[i - 1];
    }
    return next;
}

void HttpClient::set_request(Transfer &transfer, const ClientRequest &request)
{
    CURL *easy = transfer.easy.get();
    transfer.url = request.url;
    transfer.method = request.method;
    // Each of these undoes what the others set before.
    if (request.body) {
        set(easy, CURLOPT_POST, 1L);
        set(easy, CURLOPT_POSTFIELDS, request.body->data());
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE,
            static_cast<curl_off_t>(request.body->size()));
    } else {
        set(easy, CURLOPT_HTTPGET, 1L);
    }
    set(easy, CURLOPT_NOBODY, request.method == "HEAD" ? 1L : 0L);
    set(easy, CURLOPT_CUSTOMREQUEST, transfer.method.c_str());
    set(easy, CURLOPT_URL, transfer.url.c_str());
    set(easy, CURLOPT_HTTPHEADER, header_list(transfer, request.fields));
    set(easy, CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(request.timeouts.connect.count()));
}

HttpTransfer HttpClient::start(const ClientRequest &request, HttpListener &listener)
{
    now_ = Steady::now();
    const uint64_t id = transfers_.take([this](Transfer &made) { make(made); });
    Transfer &transfer = *transfers_.find(id);
    transfer.id = id;
    transfer.timeouts = request.timeouts;
    transfer.listener = &listener;
    transfer.head.clear();
    transfer.paused = transfer.holding = false;
    transfer.error[0] = '\0';
    set_request(transfer, request);
    set_deadline(transfer, request.timeouts.first_byte);
    in_library_
        ? started_.push_back(id)
        : static_cast<void>(curl_multi_add_handle(multi_.get(), transfer.easy.get()));
    return {*this, id};
}

void HttpClient::set_deadline(Transfer &transfer, std::chrono::milliseconds length)
{
    transfer.deadline = length.count() > 0 ? now_ + length : never;
    overdue_check_ = std::min(overdue_check_, transfer.deadline);
}

// While the library calls back, it takes neither new transfers nor old ones out.
template <typename Work>
void HttpClient::in_library(const Work &work)
{
    const bool outermost = !std::exchange(in_library_, true);
    work();
    if (!outermost) {
        return;
    }
    in_library_ = false;
    for (const uint64_t id : std::exchange(dropped_, {})) {
        release(id);
    }
    for (const uint64_t id : std::exchange(started_, {})) {
        if (const Transfer *transfer = transfers_.find(id)) {
            curl_multi_add_handle(multi_.get(), transfer->easy.get());
        }
    }
}

void HttpClient::release(uint64_t id) noexcept
{
    curl_multi_remove_handle(multi_.get(), transfers_.find(id)->easy.get());
    transfers_.give_back(id);
}

void HttpClient::cancel(uint64_t id) noexcept
{
    if (Transfer *transfer = transfers_.find(id)) {
        transfer->listener = nullptr;
        in_library_ ? dropped_.push_back(id) : release(id);
    }
}

void HttpClient::pause(uint64_t id)
{
    if (Transfer *transfer = transfers_.find(id)) {
        transfer->paused = true;
    }
}

void HttpClient::resume(uint64_t id)
{
    Transfer *transfer = transfers_.find(id);
    if (transfer == nullptr || !std::exchange(transfer->paused, false) ||
        !std::exchange(transfer->holding, false)) {
        return;
    }
    now_ = Steady::now();
    set_deadline(*transfer, transfer->timeouts.idle);
    in_library([&] { curl_easy_pause(transfer->easy.get(), CURLPAUSE_CONT); });
    if (!in_library_) {
        failures_.rethrow();
    }
}

void HttpClient::take_ready(const PollSet::Ready &socket)
{
    now_ = Steady::now();
    const int events = (socket.readable ? CURL_CSELECT_IN : 0) |
                       (socket.writable ? CURL_CSELECT_OUT : 0) |
                       (socket.failed ? CURL_CSELECT_ERR : 0);
    in_library([&] {
        int running = 0;
        curl_multi_socket_action(multi_.get(), socket.fd, events, &running);
    });
}

void HttpClient::run(bool readable)
{
    now_ = Steady::now();
    if (readable) {
        for (const PollSet::Ready &socket : sockets_.ready()) {
            take_ready(socket);
        }
    }
    if (library_due_ <= now_) {
        library_due_ = never;
        take_ready({CURL_SOCKET_TIMEOUT, false, false, false});
    }
    tell_ended();
    if (overdue_check_ <= now_) {
        tell_overdue(now_);
    }
    failures_.rethrow();
}

void HttpClient::tell_ended()
{
    int left = 0;
    while (const CURLMsg *message = curl_multi_info_read(multi_.get(), &left)) {
        const CURLcode code = message->data.result;
        char *context = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context);
        Transfer &transfer = *static_cast<Transfer *>(static_cast<void *>(context));
        HttpEnd ended;
        if (code != CURLE_OK) {
            ended.how = sent_bytes(transfer.easy.get()) == 0 ? HttpEnd::How::NotSent
                                                             : HttpEnd::How::Cut;
            ended.reason = transfer.error[0] != '\0' ? transfer.error.data()
                                                     : curl_easy_strerror(code);
        }
        end(transfer, ended);
    }
}

void HttpClient::tell_overdue(TimePoint now)
{
    overdue_check_ = never;
    transfers_.each([&](uint64_t, Transfer &transfer) {
        if (transfer.deadline > now) {
            overdue_check_ = std::min(overdue_check_, transfer.deadline);
        } else {
            end(transfer, transfer.head.complete()
                              ? HttpEnd{HttpEnd::How::Idle, "the answer stalled"}
                              : HttpEnd{HttpEnd::How::FirstByte, "no answer in time"});
        }
    });
}

void HttpClient::end(Transfer &transfer, const HttpEnd &end)
{
    HttpListener *listener = std::exchange(transfer.listener, nullptr);
    release(transfer.id);
    failures_.guard([&] { listener->on_end(end); });
}

void HttpClient::CleanUpMulti::operator()(void *multi) const noexcept
{
    curl_multi_cleanup(multi);
}

std::string loaded_curl_version()
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

} // namespace ap
