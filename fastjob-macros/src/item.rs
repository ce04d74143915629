//! Parses the item that `#[job]` annotates.
//!
//! Only the signature of a function is parsed; its body is kept as tokens, so that an editor can
//! complete code that does not parse yet.

use proc_macro2::{Ident, TokenStream};
use syn::{
    Attribute, Error, Fields, FnArg, Generics, ItemStruct, LitStr, Meta, PatType, PathArguments,
    PathSegment, Result, ReturnType, Safety, Signature, Token, Type, Visibility,
    parse::{Parse, ParseStream, discouraged::Speculative},
    spanned::Spanned,
};

use crate::value::text;

/// The parts of the item that the macro needs.
pub(crate) struct Item {
    /// The first paragraph of its doc comment.
    pub(crate) description: Option<String>,
    /// `cfg` attributes, which also apply to the generated code.
    pub(crate) cfgs: Vec<Attribute>,
    /// Its name.
    pub(crate) ident: Ident,
    /// Its kind.
    pub(crate) shape: Shape,
}

/// The kind of the item.
pub(crate) enum Shape {
    /// A struct, which implements `JobHandler` itself.
    Struct {
        /// Whether it has fields.
        stateful: bool,
        /// Its type parameters, if it has any.
        generics: Box<Generics>,
    },
    /// An `async fn`.
    Fn(Box<Call>),
}

/// How to call a function.
pub(crate) struct Call {
    /// Its arguments, in their order.
    pub(crate) args: Vec<Arg>,
    /// The return type, if it is not `()`.
    pub(crate) output: Option<Type>,
}

/// An argument of a function, with its type.
pub(crate) enum Arg {
    /// `&JobContext`; at most one.
    Context(Type),
    /// `State<T>`.
    State(Type),
    /// What the task's param is parsed into; at most one.
    Param(Type),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let start = input.fork();
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let (ident, shape) = if input.peek(Token![struct]) {
            input.advance_to(&start);
            let item: ItemStruct = input.parse()?;
            let stateful = match &item.fields {
                Fields::Unit => false,
                Fields::Named(fields) => !fields.named.is_empty(),
                Fields::Unnamed(fields) => !fields.unnamed.is_empty(),
            };
            (item.ident, Shape::Struct { stateful, generics: Box::new(item.generics) })
        } else if input.fork().parse::<Signature>().is_ok() {
            let signature: Signature = input.parse()?;
            input.parse::<TokenStream>()?; // the body
            (signature.ident.clone(), Shape::Fn(Box::new(Call::of(&signature)?)))
        } else {
            return Err(input.error("#[job] must be on a struct or an async fn"));
        };
        let cfgs = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
        Ok(Self { description: first_paragraph(&attrs), cfgs, ident, shape })
    }
}

impl Call {
    fn of(signature: &Signature) -> Result<Self> {
        if let Some(receiver) = signature.receiver() {
            return Err(Error::new_spanned(
                receiver,
                "#[job] must be on a free function; for a job with state, use a struct",
            ));
        }
        if signature.asyncness.is_none() {
            return Err(Error::new_spanned(signature.fn_token, "a job must be an `async fn`"));
        }
        if let Safety::Unsafe(token) = &signature.safety {
            return Err(Error::new_spanned(token, "a job cannot be unsafe"));
        }
        if !signature.generics.params.is_empty() {
            return Err(Error::new_spanned(&signature.generics, "a job cannot have generics"));
        }
        let inputs = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let args = inputs.map(Arg::of).collect::<Result<Vec<_>>>()?;
        at_most_one(
            args.iter().filter(|arg| matches!(arg, Arg::Context(_))),
            "a job takes the context only once",
        )?;
        at_most_one(
            args.iter().filter(|arg| matches!(arg, Arg::Param(_))),
            "a job takes at most one param: write one struct with both values; what the service \
             provides is `State<…>`",
        )?;
        let output = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()).filter(|ty| !is_unit(ty)),
        };
        Ok(Self { args, output })
    }

    /// The type of the param, if the function takes one.
    pub(crate) fn param(&self) -> Option<&Type> {
        self.args.iter().find_map(|arg| match arg {
            Arg::Param(ty) => Some(ty),
            Arg::Context(_) | Arg::State(_) => None,
        })
    }
}

impl Arg {
    /// Recognizes an argument by the last word of its type, as the types are not known here.
    fn of(arg: &PatType) -> Result<Self> {
        let wrong = |problem| Err(Error::new_spanned(&arg.ty, problem));
        let (ty, bare) = ((*arg.ty).clone(), bare(&arg.ty));
        if let Type::Reference(reference) = bare {
            if is_context(&reference.elem) && reference.mutability.is_none() {
                return Ok(Self::Context(ty));
            }
            return wrong(if is_context(&reference.elem) {
                "a job takes the context as `&JobContext`, without `mut`"
            } else if is_state(&reference.elem) {
                "a job takes state by value: `State<…>` without `&`, it is cheap to clone"
            } else {
                "the param must be an owned type: use `String` instead of `&str`"
            });
        }
        if matches!(bare, Type::ImplTrait(_)) {
            return wrong("the param must have a concrete type");
        }
        if is_context(bare) {
            return wrong("a job takes the context by reference: `&JobContext`");
        }
        Ok(if is_state(bare) { Self::State(ty) } else { Self::Param(ty) })
    }

    pub(crate) fn ty(&self) -> &Type {
        let (Self::Context(ty) | Self::State(ty) | Self::Param(ty)) = self;
        ty
    }
}

/// Reports the second of what there may be only one.
fn at_most_one<'a>(args: impl Iterator<Item = &'a Arg>, problem: &str) -> Result<()> {
    args.skip(1).map(|arg| Err(Error::new_spanned(arg.ty(), problem))).next().unwrap_or(Ok(()))
}

/// The type without parentheses, and without the group that a macro puts around it.
fn bare(ty: &Type) -> &Type {
    if let Type::Group(group) = ty {
        return bare(&group.elem);
    }
    if let Type::Paren(paren) = ty { bare(&paren.elem) } else { ty }
}

/// The last word of a path: `JobContext` of `fastjob_executor::JobContext`.
fn last_of(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = bare(ty) else { return None };
    path.path.segments.last()
}

fn is_context(ty: &Type) -> bool {
    last_of(ty).is_some_and(|last| last.ident == "JobContext")
}

/// Whether it is `State<T>`. A type `State` without an argument is a param.
fn is_state(ty: &Type) -> bool {
    last_of(ty).is_some_and(|last| {
        last.ident == "State"
            && matches!(&last.arguments, PathArguments::AngleBracketed(of) if of.args.len() == 1)
    })
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The first paragraph of a doc comment, on one line.
fn first_paragraph(attrs: &[Attribute]) -> Option<String> {
    let texts = attrs.iter().filter_map(|attr| {
        let Meta::NameValue(meta) = &attr.meta else { return None };
        meta.path.is_ident("doc").then(|| text(&meta.value)).flatten().map(LitStr::value)
    });
    let doc = texts.collect::<Vec<_>>().join("\n");
    let lines = doc.lines().map(|line| line.trim().trim_start_matches("* ").trim());
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let paragraph = paragraph.collect::<Vec<_>>().join(" ");
    Some(paragraph).filter(|paragraph| !paragraph.is_empty())
}

/// The span of a type, or of the function's name if there is no type.
pub(crate) fn span_of(ty: Option<&Type>, ident: &Ident) -> proc_macro2::Span {
    // Located there, but resolved at the macro's site, so that lints ignore the generated code.
    let at = ty.map_or_else(|| ident.span(), Spanned::span);
    proc_macro2::Span::mixed_site().located_at(at)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn the_description_is_the_first_paragraph_on_one_line() {
        let item: Item = parse_quote! {
            ///
            /// Says hello
            ///   to everyone.
            ///
            /// And more.
            #[doc(hidden)]
            struct Hello;
        };
        assert_eq!(item.description.as_deref(), Some("Says hello to everyone."));
        let item: Item = parse_quote!(
            pub(crate) struct Hello {}
        );
        assert_eq!(item.description, None);
    }

    #[test]
    fn the_body_of_a_function_need_not_parse() {
        let item: Item = parse_quote!(
            async fn hello(ctx: &JobContext) -> JobResult { ctx. }
        );
        assert!(
            matches!(item.shape, Shape::Fn(call) if call.args.len() == 1 && call.output.is_some())
        );
    }
}
