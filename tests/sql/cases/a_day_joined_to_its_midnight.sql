SELECT d.ident, p.ident FROM depot d JOIN parcel p ON d.opened = p.sent_at
