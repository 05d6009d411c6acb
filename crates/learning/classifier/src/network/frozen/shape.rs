/// The shape of images or maps `[N, H, W, C]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) images: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl Shape {
    pub(super) fn values(self) -> usize {
        self.images * self.height * self.width * self.channels
    }

    pub(super) fn dimensions(self) -> [i64; 4] {
        [self.images, self.height, self.width, self.channels].map(|length| length as i64)
    }
}
