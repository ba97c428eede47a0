//! epoll, whose events are packed on the host.

use super::signals::wait_with;
use crate::abi::epoll::{self, GUEST_SIZE, HOST_SIZE};
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{guest, raw};
use rvrun_memory::{PAGE, TASK_SIZE};

/// Events taken from the host at a time. The kernel may always return fewer
/// than asked for; those left over are returned by the next call.
const EVENTS: usize = 128;
/// `EP_MAX_EVENTS` of the guest's kernel.
const MAX_EVENTS: i32 = i32::MAX / GUEST_SIZE as i32;

/// The end of user addresses for the guest's kernel, which has the last page too.
const USER_END: u64 = TASK_SIZE + PAGE;

/// `epoll_ctl(epfd, op, fd, event)`.
pub(crate) fn epoll_ctl(_: &mut Task, args: Args) -> SysResult {
    let mut event = [0; HOST_SIZE];
    // The kernel reads the event first, but not for EPOLL_CTL_DEL.
    if args[1] as i32 != libc::EPOLL_CTL_DEL {
        event = epoll::to_host(&guest::read_array::<GUEST_SIZE>(args[3])?);
    }
    raw::call(libc::SYS_epoll_ctl, &[args[0], args[1], args[2], event.as_ptr() as u64])
}

/// `epoll_pwait(epfd, events, maxevents, timeout, mask, masksize)`.
pub(crate) fn epoll_pwait(task: &mut Task, args: Args) -> SysResult {
    wait(task, libc::SYS_epoll_pwait, args)
}

/// `epoll_pwait2(epfd, events, maxevents, timeout, mask, masksize)`.
pub(crate) fn epoll_pwait2(task: &mut Task, args: Args) -> SysResult {
    wait(task, libc::SYS_epoll_pwait2, args)
}

fn wait(task: &mut Task, number: i64, mut args: Args) -> SysResult {
    let (events, max) = (args[1], args[2] as i32);
    let mut host = [[0u8; HOST_SIZE]; EVENTS];
    // The host looks at the time and the mask before it refuses the other two; what
    // it has to refuse is refused for these values, too.
    args[2] = if (1..=MAX_EVENTS).contains(&max) { (max as usize).min(EVENTS) as u64 } else { 0 };
    let bytes = max.max(0) as u64 * GUEST_SIZE as u64;
    let inside = events.checked_add(bytes).is_some_and(|end| end <= USER_END);
    args[1] = if inside { host.as_mut_ptr() as u64 } else { u64::MAX };
    let mask = args[4];
    let count = wait_with(task, number, args, mask)?;
    for (index, event) in host.iter().take(count as usize).enumerate() {
        let at = events.wrapping_add((index * GUEST_SIZE) as u64);
        match guest::write(at, &epoll::to_guest(event)) {
            // What has been written counts, as in the kernel.
            Err(_) if index > 0 => return Ok(index as u64),
            result => result?,
        }
    }
    Ok(count)
}
