/* build: -O1 -static -nostdlib -fno-builtin */
/* Sockets of one process with itself: Unix and Internet. */
#include "guest.h"
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/time_types.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <linux/un.h>

/* What linux/socket.h keeps to the kernel and libraries. */
enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_SEQPACKET = 5, SOCK_NONBLOCK = 04000, SOCK_CLOEXEC = 02000000 };
enum { MSG_PEEK = 2, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000 };
enum { SHUT_RD, SHUT_WR, SHUT_RDWR, SCM_RIGHTS = 1, SCM_CREDENTIALS };

struct message {
    void *name;
    int name_len;
    struct iovec *parts;
    size_t part_count;
    void *control;
    size_t control_len;
    unsigned flags;
};
struct many_messages {
    struct message message;
    unsigned len;
};
struct control {
    size_t len;
    int level, type;
    int data[6];
};

static char buf[70000];

static void read_text(const char *what, long fd) {
    memset(buf, 0, 100);
    show(what, sys(read, fd, buf, sizeof buf - 1));
    show_text("  text", buf);
}

static void pairs(void) {
    int fds[2] = {-1, -1}, none[2];
    show("socketpair", sys(socketpair, AF_UNIX, SOCK_STREAM, 0, fds));
    show("write", sys(write, fds[0], "hello", 5));
    show("recvfrom MSG_PEEK", sys(recvfrom, fds[1], buf, 3, MSG_PEEK, 0, 0));
    read_text("read", fds[1]);
    show("recvfrom MSG_DONTWAIT", sys(recvfrom, fds[1], buf, 10, MSG_DONTWAIT, 0, 0));
    struct iovec parts[2] = {{"two ", 4}, {"parts", 5}};
    struct message message = {.parts = parts, .part_count = 2};
    show("sendmsg", sys(sendmsg, fds[1], &message, 0));
    char first[4] = {0}, second[10] = {0};
    struct iovec into[2] = {{first, 3}, {second, 9}};
    message.parts = into;
    show("recvmsg", sys(recvmsg, fds[0], &message, 0));
    show_text("  first", first), show_text("  second", second);
    show("shutdown", sys(shutdown, fds[0], SHUT_WR));
    show("read behind shutdown", sys(read, fds[1], buf, 10));
    show("sendto behind shutdown", sys(sendto, fds[0], "x", 1, MSG_NOSIGNAL, 0, 0));
    show("write the other way", sys(write, fds[1], "back", 4));
    read_text("read", fds[0]);
    show("shutdown bad", sys(shutdown, fds[0], 9));
    long child = fork_child();
    if (child == 0) {
        sys(write, fds[0], "x", 1);
        quit(0);
    }
    show_status("writer behind shutdown", reap(child));
    sys(close, fds[0]), sys(close, fds[1]);
    show("socketpair datagrams", sys(socketpair, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
    show("F_GETFD", sys(fcntl, fds[0], F_GETFD));
    show("write", sys(write, fds[0], "one", 3));
    show("write", sys(write, fds[0], "second", 6));
    show("recvfrom short", sys(recvfrom, fds[1], buf, 2, MSG_TRUNC, 0, 0));
    read_text("read", fds[1]);
    show("read none", sys(read, fds[1], buf, 10));
    struct many_messages some[3] = {0};
    for (int i = 0; i < 3; i++) some[i].message.parts = parts, some[i].message.part_count = 1 + i % 2;
    show("sendmmsg", sys(sendmmsg, fds[0], some, 3, 0));
    show("  first", some[0].len), show("  second", some[1].len);
    for (int i = 0; i < 3; i++) some[i].message.parts = into, some[i].message.part_count = 2, some[i].len = 0;
    show("recvmmsg", sys(recvmmsg, fds[1], some, 3, 0, 0));
    show("  first", some[0].len), show("  second", some[1].len);
    show("recvmmsg none", sys(recvmmsg, fds[1], some, 3, 0, 0));
    show("sendmmsg wild", sys(sendmmsg, fds[0], WILD, 3, 0));
    sys(close, fds[0]), sys(close, fds[1]);
    show("socketpair packets", sys(socketpair, AF_UNIX, SOCK_SEQPACKET, 0, fds));
    show("socketpair of Internet", sys(socketpair, AF_INET, SOCK_STREAM, 0, none));
    show("socketpair wild", sys(socketpair, AF_UNIX, SOCK_STREAM, 0, WILD));
    show("socketpair bad type", sys(socketpair, AF_UNIX, 99, 0, none));
    show("sendmsg wild", sys(sendmsg, fds[0], WILD, 0));
    message.parts = WILD;
    show("sendmsg parts wild", sys(sendmsg, fds[0], &message, 0));
    message.part_count = 100000;
    show("sendmsg too many parts", sys(sendmsg, fds[0], &message, 0));
    show("recvmsg wild", sys(recvmsg, fds[0], WILD, 0));
}

/* Descriptors and identities that travel beside the data. */
static void rights(void) {
    int fds[2], pipe[2];
    sys(socketpair, AF_UNIX, SOCK_STREAM, 0, fds);
    sys(pipe2, pipe, 0);
    struct iovec part = {"x", 1};
    struct control control = {16 + 8, SOL_SOCKET, SCM_RIGHTS, {pipe[0], pipe[1]}};
    struct message message = {.parts = &part, .part_count = 1, .control = &control, .control_len = 24};
    show("sendmsg SCM_RIGHTS", sys(sendmsg, fds[0], &message, 0));
    sys(close, pipe[0]);
    struct control got = {0};
    part.iov_base = buf;
    message.control = &got, message.control_len = sizeof got;
    show("recvmsg", sys(recvmsg, fds[1], &message, MSG_CMSG_CLOEXEC));
    show("  control", (long)message.control_len), show("  length", (long)got.len), show("  type", got.type);
    show("  flags", message.flags & ~MSG_CMSG_CLOEXEC);
    show("  close-on-exec", sys(fcntl, got.data[0], F_GETFD));
    show("write", sys(write, pipe[1], "through", 7));
    read_text("read from what came", got.data[0]);
    part.iov_base = "x";
    control.data[0] = pipe[1];
    message.control = &control, message.control_len = 24;
    show("sendmsg", sys(sendmsg, fds[0], &message, 0));
    part.iov_base = buf;
    message.control = &got, message.control_len = 8;
    show("recvmsg without room", sys(recvmsg, fds[1], &message, 0));
    show("  flags", message.flags);
    control.data[0] = 9999;
    part.iov_base = "x";
    message.control = &control, message.control_len = 24;
    show("sendmsg bad descriptor", sys(sendmsg, fds[0], &message, 0));
    control.len = 4;
    show("sendmsg bad control", sys(sendmsg, fds[0], &message, 0));
    message.control = WILD;
    show("sendmsg control wild", sys(sendmsg, fds[0], &message, 0));
    int on = 1;
    show("SO_PASSCRED", sys(setsockopt, fds[1], SOL_SOCKET, SO_PASSCRED, &on, 4));
    show("write", sys(write, fds[0], "y", 1));
    part.iov_base = buf;
    message.control = &got, message.control_len = sizeof got;
    show("recvmsg", sys(recvmsg, fds[1], &message, 0));
    show("  type", got.type);
    show_yes("  itself", got.data[0] == sys(getpid) && got.data[1] == sys(getuid) && got.data[2] == sys(getgid));
    int credentials[3], len = sizeof credentials;
    show("SO_PEERCRED", sys(getsockopt, fds[0], SOL_SOCKET, SO_PEERCRED, credentials, &len));
    show_yes("  itself", len == 12 && credentials[0] == sys(getpid));
}

static void unix_sockets(void) {
    struct sockaddr_un address = {AF_UNIX, "socket"}, peer;
    long server = sys(socket, AF_UNIX, SOCK_STREAM, 0);
    long client = sys(socket, AF_UNIX, SOCK_STREAM, 0);
    show("connect missing", sys(connect, client, &address, sizeof address));
    show("bind", sys(bind, server, &address, 2 + 7));
    show("bind again", sys(bind, server, &address, 2 + 7));
    show("bind taken", sys(bind, client, &address, 2 + 7));
    show("connect without listener", sys(connect, client, &address, sizeof address));
    show("accept without listen", sys(accept, server, 0, 0));
    show("listen", sys(listen, server, 5));
    show("connect", sys(connect, client, &address, sizeof address));
    show("connect again", sys(connect, client, &address, sizeof address));
    int len = sizeof peer;
    long fd = show_ok("accept4", sys(accept4, server, &peer, &len, SOCK_CLOEXEC));
    show("  family", peer.sun_family), show("  length", len);
    len = sizeof peer;
    memset(&peer, 0, sizeof peer);
    show("getpeername", sys(getpeername, client, &peer, &len));
    show("  length", len), show_text("  path", peer.sun_path);
    len = 4;
    show("getsockname short", sys(getsockname, server, &peer, &len));
    show("  length", len);
    len = -1;
    show("getsockname negative", sys(getsockname, server, &peer, &len));
    show("getsockname wild", sys(getsockname, server, WILD, (&(int){100})));
    show("getsockname length wild", sys(getsockname, server, &peer, WILD));
    show("write", sys(write, client, "request", 7));
    read_text("read", fd);
    struct pollfd poll = {(int)server, POLLIN, 0};
    show("ppoll", sys(ppoll, &poll, 1, (&(struct __kernel_timespec){0, 0}), 0, 8));
    show("accept4 bad flags", sys(accept4, server, 0, 0, 1));
    sys(close, client);
    show("read at end", sys(read, fd, buf, 10));
    show("write to nobody", sys(sendto, fd, "x", 1, MSG_NOSIGNAL, 0, 0));
    /* Names that are no files. */
    struct sockaddr_un abstract = {AF_UNIX, "\0rvrun-test-"};
    long pid = sys(getpid);
    for (int i = 12; i < 20; i++, pid >>= 4) abstract.sun_path[i] = (char)('a' + (pid & 15));
    long datagrams = sys(socket, AF_UNIX, SOCK_DGRAM, 0), sender = sys(socket, AF_UNIX, SOCK_DGRAM, 0);
    show("bind abstract", sys(bind, datagrams, &abstract, 2 + 20));
    show("sendto", sys(sendto, sender, "datagram", 8, 0, &abstract, 2 + 20));
    len = sizeof peer;
    show("recvfrom", sys(recvfrom, datagrams, buf, 100, 0, &peer, &len));
    show("  length", len);
    show("sendto nobody", sys(sendto, sender, "x", 1, 0, &address, sizeof address));
    show("send without address", sys(sendto, sender, "x", 1, 0, 0, 0));
    show("bind too long", sys(bind, sender, &abstract, 1000));
    show("bind too short", sys(bind, sender, &abstract, 1));
    show("bind wild", sys(bind, sender, WILD, 20));
    show("bind another family", sys(bind, sender, (&(struct sockaddr_in){.sin_family = AF_INET}), sizeof(struct sockaddr_in)));
    memcpy(address.sun_path, "no/such", 8);
    show("bind below nothing", sys(bind, sender, &address, sizeof address));
    show("connect wild", sys(connect, sender, WILD, 20));
    show("stat of the socket", sys(faccessat, AT_FDCWD, "socket", 0));
}

static struct sockaddr_in loopback(unsigned short port) {
    return (struct sockaddr_in){AF_INET, port, {0x0100007f}, {0}};
}

static void streams(void) {
    long fd = show_ok("socket", sys(socket, AF_INET, SOCK_STREAM, 0));
    int on = 1, len = sizeof(struct sockaddr_in);
    struct sockaddr_in address = loopback(0);
    show("SO_REUSEADDR", sys(setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, 4));
    show("bind", sys(bind, fd, &address, sizeof address));
    show("getsockname", sys(getsockname, fd, &address, &len));
    show_yes("  port", address.sin_port != 0 && len == 16);
    show("listen", sys(listen, fd, 5));
    long client = sys(socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    long connected = sys(connect, client, &address, sizeof address);
    show_yes("connect", connected == 0 || connected == -EINPROGRESS);
    struct sockaddr_in peer;
    long accepted = sys(accept, fd, &peer, &len);
    show_ok("accept", accepted);
    show_yes("  from here", peer.sin_family == AF_INET && peer.sin_addr.s_addr == 0x0100007f);
    struct pollfd poll = {(int)client, POLLOUT, 0};
    show("ppoll", sys(ppoll, &poll, 1, 0, 0, 8));
    int error = -1;
    len = 4;
    show("SO_ERROR", sys(getsockopt, client, SOL_SOCKET, SO_ERROR, &error, &len));
    show("  error", error);
    show("TCP_NODELAY", sys(setsockopt, client, IPPROTO_TCP, TCP_NODELAY, &on, 4));
    on = 0;
    show("TCP_NODELAY", sys(getsockopt, client, IPPROTO_TCP, TCP_NODELAY, &on, &len));
    show("  on", on);
    show("write", sys(write, client, "over TCP", 8));
    read_text("read", accepted);
    show("shutdown", sys(shutdown, client, SHUT_WR));
    show("read at end", sys(read, accepted, buf, 10));
    show("write back", sys(write, accepted, "reply", 5));
    poll = (struct pollfd){(int)client, POLLIN, 0};
    sys(ppoll, &poll, 1, 0, 0, 8);
    read_text("read", client);
    long second = sys(socket, AF_INET, SOCK_STREAM, 0);
    show("bind taken", sys(bind, second, &address, sizeof address));
    show("getpeername unconnected", sys(getpeername, second, &peer, (&(int){16})));
    show("read unconnected", sys(read, second, buf, 1));
    show("shutdown unconnected", sys(shutdown, second, SHUT_RDWR));
    sys(close, fd), sys(close, accepted), sys(close, client);
    show("connect refused", sys(connect, second, &address, sizeof address));
}

static void datagrams(void) {
    long first = sys(socket, AF_INET, SOCK_DGRAM, 0), second = sys(socket, AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = loopback(0), from = {0};
    int len = sizeof address;
    show("bind", sys(bind, first, &address, sizeof address));
    sys(getsockname, first, &address, &len);
    show("sendto", sys(sendto, second, "over UDP", 8, 0, &address, sizeof address));
    memset(buf, 0, 100);
    show("recvfrom", sys(recvfrom, first, buf, 100, 0, &from, &len));
    show_text("  text", buf);
    show("  length", len);
    show_yes("  from here", from.sin_addr.s_addr == 0x0100007f && from.sin_port != address.sin_port);
    show("connect", sys(connect, second, &address, sizeof address));
    show("send", sys(sendto, second, "", 0, 0, 0, 0));
    show("recvfrom nothing", sys(recvfrom, first, buf, 100, 0, 0, 0));
    show("sendto too large", sys(sendto, second, buf, 70000, 0, 0, 0));
    show("sendto wild", sys(sendto, second, WILD, 10, 0, 0, 0));
    show("sendto address wild", sys(sendto, first, "x", 1, 0, WILD, 16));
    show("sendto address short", sys(sendto, first, "x", 1, 0, &address, 4));
    show("send", sys(sendto, second, "x", 1, 0, 0, 0));
    show("recvfrom wild", sys(recvfrom, first, WILD, 10, 0, 0, 0));
    show("SO_RCVTIMEO", sys(setsockopt, first, SOL_SOCKET, SO_RCVTIMEO, (&(int64_t[2]){0, 1000}), 16));
    show("recvfrom in vain", sys(recvfrom, first, buf, 10, 0, 0, 0));
}

static void options(void) {
    long fd = sys(socket, AF_INET, SOCK_STREAM, 0);
    int value = -1, len = 4;
    show("SO_TYPE", sys(getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, &len)), show("  value", value);
    show("SO_DOMAIN", sys(getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &value, &len)), show("  value", value);
    show("SO_PROTOCOL", sys(getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &value, &len)), show("  value", value);
    show("SO_ACCEPTCONN", sys(getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len)), show("  value", value);
    value = 5000;
    show("SO_SNDBUF", sys(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &value, 4));
    show("SO_SNDBUF", sys(getsockopt, fd, SOL_SOCKET, SO_SNDBUF, &value, &len)), show("  value", value);
    struct { int on, seconds; } linger = {1, 7};
    show("SO_LINGER", sys(setsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, 8));
    len = 8, linger.seconds = 0;
    show("SO_LINGER", sys(getsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, &len)), show("  value", linger.seconds);
    int64_t time[2] = {3, 250000};
    show("SO_RCVTIMEO", sys(setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, time, 16));
    len = 16, time[0] = time[1] = 0;
    show("SO_RCVTIMEO", sys(getsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, time, &len)), show("  seconds", time[0]);
    len = 2;
    show("SO_TYPE short", sys(getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, &len)), show("  length", len);
    len = -4;
    show("SO_TYPE negative", sys(getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, &len));
    len = 4;
    show("option wild", sys(getsockopt, fd, SOL_SOCKET, SO_TYPE, WILD, &len));
    show("length wild", sys(getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, WILD));
    show("unknown option", sys(getsockopt, fd, SOL_SOCKET, 9999, &value, &len));
    show("unknown level", sys(getsockopt, fd, 9999, 1, &value, &len));
    show("set wild", sys(setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, WILD, 4));
    show("set short", sys(setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &value, 2));
    show("set read-only", sys(setsockopt, fd, SOL_SOCKET, SO_TYPE, &value, 4));
    show("set unknown", sys(setsockopt, fd, SOL_SOCKET, 9999, &value, 4));
    show("socket bad family", sys(socket, 9999, SOCK_STREAM, 0));
    show("socket bad type", sys(socket, AF_INET, 99, 0));
    show("socket bad protocol", sys(socket, AF_INET, SOCK_STREAM, IPPROTO_UDP));
    show("socket unknown protocol of Unix", sys(socket, AF_UNIX, SOCK_STREAM, 77));
    long file = sys(openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0600);
    show("bind a file", sys(bind, file, buf, 16));
    show("listen on a file", sys(listen, file, 1));
    show("getsockopt of a file", sys(getsockopt, file, SOL_SOCKET, SO_TYPE, &value, &len));
    show("sendto a file", sys(sendto, file, "x", 1, 0, 0, 0));
    show("accept bad descriptor", sys(accept, 9999, 0, 0));
    show("listen on datagrams", sys(listen, sys(socket, AF_INET, SOCK_DGRAM, 0), 1));
    show("lseek", sys(lseek, fd, 0, 0));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    pairs();
    rights();
    unix_sockets();
    streams();
    datagrams();
    options();
    return 0;
}
